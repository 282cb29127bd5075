/**
 * Stanzas as dpkg's own Perl library reads them: a judge for our readers.
 */
import { runOk } from '../support/run.ts'

/** Fields in order, names in lower case; continuation lines without their first blank, and `.` lines as empty ones. */
export type JudgedStanza = readonly (readonly [name: string, value: string])[]

const script = `
use strict; use warnings; use JSON::PP; use Dpkg::Control; use Dpkg::Control::HashCore;
my @stanzas; my $parsing = 1;
open(my $in, '<:encoding(UTF-8)', $ARGV[0]) or die;
while ($parsing) {
  my $c = Dpkg::Control::HashCore->new(allow_duplicate => 0);
  $parsing = $c->parse($in, $ARGV[0]);
  push @stanzas, [map { [lc $_, $c->{$_}] } keys %$c] if $parsing;
}
print JSON::PP->new->utf8->encode(\\@stanzas);
`

/** All stanzas of the file. */
export async function readWithDpkg(file: string): Promise<readonly JudgedStanza[]> {
  const { stdout } = await runOk('perl', ['-e', script, file])
  return JSON.parse(stdout)
}

/** A value of ours in the form in which dpkg's library gives it. */
export function asDpkgReads(value: string): string {
  const [first = '', ...more] = value.split('\n')
  const rest = more.map((line) => line.slice(1)).map((line) => (line === '.' ? '' : line))
  return [first, ...rest].join('\n')
}
