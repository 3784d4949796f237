# SPDX-License-Identifier: GPL-2.0-only
"""Sphinx configuration: plain, with nothing but what Sphinx brings along."""

project = 'mini-vm'
author = 'The mini-vm authors'
copyright = 'the mini-vm authors'

extensions = []
exclude_patterns = ['build']
highlight_language = 'none'
nitpicky = True
nitpick_ignore = [('c:identifier', name) for name in (
    '__u8', '__u16', '__u32', '__u64', '__s32')]

html_theme = 'alabaster'
html_show_sphinx = False
html_theme_options = {
    'description': 'a minimal Intel VMX hypervisor for Linux',
    'fixed_sidebar': True,
}
