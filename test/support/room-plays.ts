/**
 * What docs/operating.md tells to type about room, and what is printed then.
 */
import { copyFile, mkdir, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { DocsWorld } from './docs-world.ts'

export interface RoomPlay {
  readonly prints: RegExp
  readonly before?: () => Promise<unknown>
}

/** The lines in their order; `archives` is what the page calls /var/cache/apt/archives. */
export function roomPlays(
  { dir }: DocsWorld,
  archives: string,
): Readonly<Record<string, RoomPlay>> {
  const fill = async (): Promise<void> => {
    await mkdir(archives)
    for (const path of await readdir(dir, { recursive: true })) {
      const isDeb = path.includes('/pool/') && path.endsWith('.deb')
      if (isDeb) await copyFile(join(dir, path), join(archives, basename(path)))
    }
  }
  return {
    'sluice gc --dry-run': { prints: /^ +WOULD GO .*\n(.*\n)+$/ },
    'sluice channel set testing --keep 20 --keep-days 14': {
      prints: /^it keeps its newest 20 generations, and all of the last 14 days$/m,
    },
    'sluice gc --force': { prints: /^ +GONE .*\n(.*\n)+done in / },
    'sluice stats': { prints: /\bfree bytes +\d/ },
    'sluice adopt /var/cache/apt/archives --dry-run': {
      before: fill,
      prints: /^would take \d+ files?, .*\nheld +[1-9]\d* files?, /,
    },
    "sluice adopt /var/cache/apt/archives --reason 'the old cache'": {
      prints: /^adopted +\d+ files?, /,
    },
    'sluice verify': { prints: /^all is well: .* files?$/m },
  }
}
