# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Test results: a file of lines "VERDICT NAME REASON" that tests append to, and
# the readers of the Test Anything Protocol that turn its lines into them.

# result pass|fail|skip NAME [REASON...]: notes one result.
result() {
	printf '%s\n' "$*" >>"$RESULTS"
}

# read_tap PREFIX FILE: counts every test line of a TAP stream; a missing or
# broken plan and a bail-out are failures of their own. Prints the results.
read_tap() {
	awk -v prefix="$1" '
		function slug(text) {
			sub(/^ *-? */, "", text)
			gsub(/[^A-Za-z0-9_.+-]+/, "-", text)
			gsub(/^-+|-+$/, "", text)
			return prefix "." text
		}
		{ sub(/\r$/, "") }
		/^1\.\.[0-9]+/ {
			plan = substr($1, 4) + 0
			planned = 1
			if (plan == 0) {
				reason = $0
				sub(/^1\.\.0[^A-Za-z]*([Ss][Kk][Ii][Pp][A-Za-z]*:?)? */, "", reason)
				print "skip", prefix, reason
				skipped_all = 1
			}
		}
		/^(not )?ok( |$)/ {
			bad = /^not /
			text = $0
			sub(/^(not )?ok *[0-9]* */, "", text)
			reason = ""
			if (match(text, / *# *([Ss][Kk][Ii][Pp]|[Tt][Oo][Dd][Oo])[A-Za-z]*:? */)) {
				directive = toupper(substr(text, RSTART, RLENGTH))
				reason = substr(text, RSTART + RLENGTH)
				text = substr(text, 1, RSTART - 1)
			} else {
				directive = ""
			}
			if (text ~ /^[ -]*$/)
				text = "test-" (count + 1)
			count++
			if (bad)
				print "fail", slug(text), reason
			else if (directive ~ /SKIP/)
				print "skip", slug(text), reason
			else
				print "pass", slug(text)
		}
		/^Bail out!/ { print "fail", prefix, $0 }
		END {
			if (!planned)
				print "fail", prefix, "printed no plan"
			else if (plan != count)
				print "fail", prefix, "planned", plan, "tests and reported", count + 0
		}' "$2"
}

# read_kunit FILE: counts the cases (not the suites) of a KUnit log as the
# kernel prints it; prints the results.
read_kunit() {
	awk '
		{ sub(/\r$/, ""); sub(/^\[ *[0-9]+\.[0-9]+\] ?/, "") }
		/^ +# Subtest: / && /^    #/ && !/^     / { suite = $3 }
		/^    (not )?ok / {
			bad = /^    not /
			text = $0
			sub(/^ *(not )?ok [0-9]+ *-? */, "", text)
			reason = ""
			if (match(text, / *# SKIP */)) {
				reason = substr(text, RSTART + RLENGTH)
				text = substr(text, 1, RSTART - 1)
				verdict = "skip"
			} else {
				verdict = bad ? "fail" : "pass"
			}
			gsub(/[^A-Za-z0-9_.+-]+/, "-", text)
			print verdict, "kunit." suite "." text, reason
		}
		/^not ok / { failed_suites++ }
		END { if (failed_suites && !NR) print "fail kunit" }' "$1"
}

# is_allowed_skip NAME: whether lab/allowed-skips names it, with a reason.
is_allowed_skip() {
	awk -F': ' -v name="$1" '/^#/ { next } $1 == name && $2 != "" { found = 1 }
		END { exit !found }' "$LAB_ROOT/lab/allowed-skips"
}
