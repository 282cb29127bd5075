/**
 * All commands, by the module that has them, in the order of the help. Only the one that is asked for is loaded: a command
 * starts in two thirds of the time.
 */
import type { Command } from 'commander'
import type { Surroundings } from './context.ts'

type Add = (program: Command, around: Surroundings) => void

interface CommandGroup {
  /** The first words of its commands. */
  readonly words: string
  load(): Promise<Add>
}

const groups: readonly CommandGroup[] = [
  { words: 'serve', load: async () => (await import('./serve-command.ts')).serveCommand },
  { words: 'archive', load: async () => (await import('./archive-commands.ts')).archiveCommands },
  {
    words: 'channel diff search changelog rollback',
    load: async () => (await import('./channel-commands.ts')).channelCommands,
  },
  { words: 'class', load: async () => (await import('./class-commands.ts')).classCommands },
  { words: 'publish', load: async () => (await import('./publish-command.ts')).publishCommand },
  { words: 'pending', load: async () => (await import('./pending-commands.ts')).pendingCommands },
  { words: 'promote', load: async () => (await import('./promote-commands.ts')).promoteCommands },
  { words: 'hold unhold', load: async () => (await import('./hold-commands.ts')).holdCommands },
  {
    words: 'decline undecline',
    load: async () => (await import('./decline-commands.ts')).declineCommands,
  },
  {
    words: 'unpublish',
    load: async () => (await import('./unpublish-command.ts')).unpublishCommand,
  },
  { words: 'revoke', load: async () => (await import('./revoke-command.ts')).revokeCommand },
  {
    words: 'policy explain',
    load: async () => (await import('./policy-commands.ts')).policyCommands,
  },
  { words: 'digest', load: async () => (await import('./digest-commands.ts')).digestCommands },
  {
    words: 'export apply',
    load: async () => (await import('./config-commands.ts')).configCommands,
  },
  { words: 'key', load: async () => (await import('./key-commands.ts')).keyCommands },
  {
    words: 'verify token stats',
    load: async () => (await import('./admin-commands.ts')).adminCommands,
  },
  { words: 'audit', load: async () => (await import('./audit-commands.ts')).auditCommands },
  { words: 'gc', load: async () => (await import('./gc-commands.ts')).gcCommands },
  {
    words: 'adopt',
    load: async () => (await import('./adopt-files-command.ts')).adoptFilesCommand,
  },
  {
    words: 'backup restore',
    load: async () => (await import('./backup-commands.ts')).backupCommands,
  },
]

/** Adds the commands that these arguments may mean: all of them, unless they begin with a known word. */
export async function addCommands(
  program: Command,
  around: Surroundings,
  args: readonly string[],
): Promise<void> {
  const word = withoutValues(args).find((one) => !one.startsWith('-')) ?? ''
  const named = groups.filter(({ words }) => words.split(' ').includes(word))
  for (const { load } of named.length > 0 ? named : groups) (await load())(program, around)
}

/** The arguments without the options that have a value and may stand before the command. */
export function withoutValues(args: readonly string[]): string[] {
  const isOption = (word: string | undefined): boolean => word === '--data' || word === '--url'
  return args.filter((word, at) => !isOption(word) && !isOption(args[at - 1]))
}
