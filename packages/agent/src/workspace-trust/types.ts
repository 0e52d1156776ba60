import type { ResolvedPath } from '../tools/workspace.ts'

/** A file or directory of a workspace that programs or agents run or obey there, as it is now. */
export interface BroughtFile {
  /** Relative to the workspace. */
  path: string
  /** The program, as a person calls it. */
  by: string
  /** It runs what is written there; else it follows it, as words to a model. */
  runs: boolean
  /** Another content has another. */
  print: string
}

/** `declined`: the person saw it as it is, and did not trust it. */
export type BroughtState = 'trusted' | 'declined' | 'changed' | 'new'

type SeenFile = Pick<BroughtFile, 'path' | 'print'>

export interface WorkspaceLook {
  /** Real path. */
  root: string
  files: (BroughtFile & { state: BroughtState })[]
}

/**
 * A workspace is a guest: what it brings for agents and other programs to run or obey counts once the person here has seen it, as it was
 * then. What is the person's own (a workspace that holds the home directory) is not asked about.
 */
export interface WorkspaceTrust {
  /** All that it brings. Throws bad_request where `directory` cannot be opened. */
  look(directory: string): Promise<WorkspaceLook>
  /** What the person says of what they saw, as it was then: it does not hold for what has changed since. */
  decide(directory: string, files: readonly SeenFile[], decision: 'trust' | 'decline'): Promise<void>
  /** Of one file at the top. */
  isTrusted(root: string, name: string): Promise<boolean>
  /** Throws forbidden, with the command to run, where it brings something that nobody here has trusted. */
  assertTrusted(root: string): Promise<void>
  /** Before the person's own turn writes there. Call what it returns once that is written: what was trusted, or not there, then stays so. */
  writing(root: string, path: Pick<ResolvedPath, 'shown' | 'place'>): Promise<() => Promise<void>>
}
