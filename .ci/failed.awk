# What failed, of the TAP of a whole run: for each failed test its file, its title and its diagnostics, of 200 lines at
# most; for a file that failed without a failed test of its own, how its process ended and what stood beside the TAP (an
# error that killed a process, of whichever file). A skipped test counts as failed.
# Indentation tells what a line belongs to: none a file, four spaces a test, more an assertion of it.

function keep(line) {
  if (++kept <= 200) text = text line "\n"
  else if (kept == 201) text = text "    [more was said of this test: see the log above]\n"
}
function print_kept() {
  if (++said <= 50) printf "\n%s%s", head, text
  else if (said == 51) printf "\n[more tests failed: see the log above]\n"
}
function forget() { text = ""; kept = 0 }
function result_of(line) {
  return line ~ /^ *(not )?ok [0-9]+( - |$)/
}
# The lines of a block of diagnostics, to the "..." that ends it; a result ends one that is cut.
in_block {
  if ($0 == block_indent "  ...") { in_block = 0; keep($0); if (shown) { print_kept(); forget(); shown = 0 }; next }
  if ($0 ~ "^" block_indent "  " || $0 ~ /^ *$/) { keep($0); next }
  in_block = 0
  if (shown) { print_kept(); forget(); shown = 0 }
}
# A result that was shown as soon as it was known to have no block.
shown && $0 !~ /^ +---$/ { print_kept(); forget(); shown = 0 }
after_fail && /^ +---$/ {
  block_indent = $0; sub(/  ---$/, "", block_indent)
  in_block = 1; after_fail = 0; keep($0); next
}
{ after_fail = 0 }
/^# Subtest: / { file = substr($0, 12); tests_failed = 0; forget(); next }
/^    # Subtest: / { forget(); next }
/^     +# Subtest: / { next }
/^(TAP version |[0-9]+\.\.[0-9])/ { next }
/^[^ #]/ && !result_of($0) || /^    at / { beside[++besides] = $0; next }
!result_of($0) { next }
/^ok / { forget(); next }
/^not ok / {
  if (tests_failed > 0 && $0 !~ / - timeout!$/) { forget(); next }
  forget(); head = $0 "\n"; shown = after_fail = files_failed = 1; next
}
/^    (not )?ok / {
  if ($0 !~ /^    not / && $0 !~ / # (SKIP|TODO)/) { forget(); next }
  tests_failed++
  head = "not ok " file ": " substr($0, index($0, " - ") + 3) "\n"
  shown = after_fail = 1; next
}
/ not ok / { keep($0); after_fail = 1 }
END {
  if (shown) print_kept()
  if (!files_failed || besides == 0) exit
  print "\nBeside the TAP (the last 200 lines of it):"
  for (i = besides > 200 ? besides - 199 : 1; i <= besides; i++) print beside[i]
}
