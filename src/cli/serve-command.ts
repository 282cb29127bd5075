import type { Command } from 'commander'
import { run, type Surroundings } from './context.ts'
import { addServeOptions, type ServeOptions } from './serve-options.ts'

/** Adds the command; what only the server needs is imported when it runs. */
export function serveCommand(program: Command, around: Surroundings): void {
  const command = addServeOptions(program.command('serve'))
    .description("run the server; the first start imports this machine's apt sources")
    .addHelpText(
      'after',
      '\nEach can stand in DATA/sluice.toml (refresh-minutes = 30) and in a variable (SLUICE_REFRESH_MINUTES).',
    )
  run<ServeOptions>(around, command, async (...given) => {
    const { serve } = await import('./serve.ts')
    await serve(...given)
  })
}
