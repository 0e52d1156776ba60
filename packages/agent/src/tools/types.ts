import type { QuestionChoice } from '@qmtcode/protocol'
import type { z } from 'zod'
import type { PermissionName } from '../permissions/names.ts'
import type { QuestionOutcome } from '../turn/types.ts'
import type { ResolvedPath, Workspace } from './workspace.ts'

/** What a tool needs to be allowed, as `[permissions]` and `--allow` name it. */
export type ToolPermission = Exclude<PermissionName, 'outside'>

export interface ToolResult {
  /** Bounded by the tool: it goes to the model and into the log whole. */
  output: string
  isError?: boolean
}

/** What a call acts on, before it runs: what permissions decide over. */
export interface ToolTarget {
  /** As the model wrote it. */
  path?: string
  command?: string
}

/** One call, permitted. */
export interface ToolContext {
  callId: string
  /** Agent id of the session. */
  agent: string
  workspace: Workspace
  /** The target's path as it was permitted, or the workspace. Tools open this one and never resolve again. */
  path: ResolvedPath
  /** The command is allowed as these words, and not as a script. */
  words?: readonly string[]
  signal: AbortSignal
  /** Shown live, at most once; the result does not depend on it. */
  progress(text: string): void
  /** Asks people, and waits; throws when the turn is cancelled. */
  ask(question: { text: string; choices: QuestionChoice[]; multiple: boolean; freeText: boolean }): Promise<QuestionOutcome>
  /** Whether a file found below `path` is kept from the model: qmtcode's own, or held back by a rule. */
  hides(real: string): boolean
}

/** A tool that a model may call. A failure of its work is a result with `isError`; what it throws becomes one. */
export interface Tool<Input = unknown> {
  name: string
  description: string
  inputSchema: z.ZodType<Input>
  permission: ToolPermission
  /** It changes a file and shows what is in it, or tells by its failure: it needs `read` as well. */
  alsoReads?: boolean
  /** Its work is to ask people: nobody is asked whether it may. A rule that denies holds. */
  asksUser?: boolean
  /** Only for this node's own person: not in turns on behalf of peers. */
  ownOnly?: boolean
  /** One line for the person who decides. */
  summary(input: Input): string
  target?(input: Input): ToolTarget
  execute(input: Input, context: ToolContext): Promise<ToolResult>
}

export interface ToolSet {
  readonly all: readonly Tool[]
  get(name: string): Tool | undefined
  /** The files of one session as tools see them, and the sandbox for its `commands`, if any are to run. Throws bad_request when `directory` is none. */
  openWorkspace(directory: string, sessionId: string, commands?: { forGuest: boolean }): Promise<Workspace>
  /** Removes what a session's tools left outside of its workspace. */
  discard(sessionId: string): Promise<void>
}

/** Keeps the input's type inside a tool, while a set holds tools of every input. */
export const defineTool = <Input>(tool: Tool<Input>): Tool => tool
