import type { SandboxPlan } from './plan.ts'

/** A program with its arguments and environment, as it is started. */
export interface CommandLine {
  file: string
  args: readonly string[]
  env: Readonly<Record<string, string>>
}

export interface ConfinedCommand extends CommandLine {
  /**
   * To be called once it has ended, with all that it started, or was not started: the next command may wait for it. What it left is then in
   * order. Returns a line for each thing that was not.
   */
  settle?(): Promise<string[]>
}

/** `[permissions] sandbox`. `auto`: where this machine has one. */
export const SANDBOX_MODES = ['auto', 'required', 'off'] as const
export type SandboxMode = (typeof SANDBOX_MODES)[number]

/** How commands of one workspace are kept from the rest of this machine, or why they are not. */
export type Confinement =
  | {
      kind: 'sandbox'
      /** The same command inside the sandbox. Throws forbidden where it would not hold it any more, as when the workspace has moved. */
      wrap(command: CommandLine, signal?: AbortSignal): Promise<ConfinedCommand>
      network: boolean
      /** Whether commands can see what lies at a path, absolute and real. Absent: they see all. */
      shows?(path: string): boolean
    }
  | {
      kind: 'none'
      /** Follows on "because". */
      why: string
      /** The configuration demands a sandbox: nothing runs without one. */
      isRequired: boolean
    }

export interface ConfinedPlace {
  /** Real path; the one place that commands may write. */
  root: string
  /** Whole outputs of this session's tools: read, not written. */
  outputDir: string
  /** For a peer: no network, and what other programs run or obey is only read. */
  forGuest: boolean
}

export interface Sandbox {
  /** Tries the sandbox once for each kind of place. Never rejects: what does not work is the reason. */
  confine(place: ConfinedPlace): Promise<Confinement>
}

/** What a system has for it. */
export interface SandboxProgram {
  name: string
  /** Not by PATH: a directory of a workspace may stand first in it. */
  paths: readonly string[]
  /** Whether it is enough for commands that nobody here is asked about. */
  holdsGuests: boolean
  wrap(path: string, plan: SandboxPlan, command: CommandLine): Promise<CommandLine>
}
