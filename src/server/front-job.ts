/** Files for a web server in front, while the server runs: see keeping/front-files.ts. */
import type { Log } from '../base/log.ts'
import { createFrontFiles, removeFrontFiles } from '../keeping/front-files.ts'
import type { ServerParts } from './parts.ts'

/** Begins to write them, where they are wanted; else removes those of earlier. */
export function startFrontFiles(
  parts: ServerParts,
  log: Log,
): { readonly stop: () => Promise<void> } {
  const { dataDir, frontFiles } = parts.config
  if (!frontFiles) {
    const removed = removeFrontFiles(dataDir).catch((error: unknown) => {
      log.warn({ err: error }, 'files for a front not removed')
    })
    return { stop: () => removed }
  }
  const files = createFrontFiles(parts, dataDir, log)
  files.start()
  return { stop: files.stop }
}
