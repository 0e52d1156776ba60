import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { RequestError } from '@agentclientprotocol/sdk'
import type {
  PermissionOption,
  ReadTextFileRequest,
  ReadTextFileResponse,
  RequestPermissionRequest,
  RequestPermissionResponse,
  WriteTextFileRequest,
} from '@agentclientprotocol/sdk'
import { toAppError } from '@qmtcode/protocol'
import type { Clock, PermissionAnswer } from '@qmtcode/protocol'
import type { PermissionSubject } from '../permissions/types.ts'
import type { ToolPermission } from '../tools/types.ts'
import type { ResolvedPath, Workspace } from '../tools/workspace.ts'
import { writeAtomic } from '../tools/write-atomic.ts'
import type { TurnRights } from '../turn/turn-rights.ts'
import type { TurnContext } from '../turn/types.ts'
import { diffsOf } from './call-text.ts'
import { claimOf } from './claim.ts'
import type { Claim } from './claim.ts'
import { judge } from './judge.ts'
import type { JudgeOptions } from './judge.ts'
import type { Recorder } from './recorder.ts'
import { readCall } from './updates.ts'

const MAX_FILE_BYTES = 10_485_760
const MAX_SUMMARY_CHARS = 4_000
const DENIED = -32_603

export interface RequestComponents {
  turn: TurnContext
  workspace: Workspace
  rights: TurnRights
  recorder: Recorder
  clock: Clock
  /** Called before a person is asked, and after: meanwhile the agent's silence is no fault of its own. */
  pause(): void
  resume(): void
}

/** What an agent asks its client in a turn: decided by our rules, and by whoever our rules say may decide. */
export function createTurnRequests(components: RequestComponents, options: JudgeOptions) {
  const { turn, workspace, rights, recorder, clock } = components
  const allowed = new Set<string>() // files that an allowed call of this turn edits: its own write is not asked for again

  /** Why not, or nothing. */
  const permit = async (claim: Claim, told: { callId: string; title: string; diff?: string }): Promise<string | undefined> => {
    const decision = await judge(claim, { workspace, permissions: await rights.now() }, options)
    if (decision.action === 'deny') return `not allowed: ${decision.reason}`
    if (decision.action === 'ask') {
      const { paths, command, permission, isMore } = claim
      const { answer, reason, by } = await asked(components, {
        callId: told.callId,
        tool: claim.name,
        input: {
          title: told.title,
          paths,
          ...(command !== undefined && { command }),
          ...(isMore && { more: true }),
          ...(told.diff && { diff: told.diff }),
        },
        summary: summaryOf(told.title, claim, decision.reason),
        needs: decision.needs,
        ...(decision.reserved && { reserved: true }),
      })
      if (answer === 'deny') return `not allowed: ${reason ?? 'the user said no'}`
      const still = await rights.allowed(decision)
      if (still !== undefined) return `not allowed: ${still}`
      if (answer === 'allow_session' && !decision.reserved) for (const subject of decision.subjects) rights.add({ subject, by })
      await turn.assertAllowed()
      if (await hasMoved(workspace, decision.subjects)) return `${permission}: a path changed while this was asked`
    }
    if (claim.permission === 'edit') for (const { path } of decision.subjects) if (path) allowed.add(path.real)
    return undefined
  }
  const permission = async (request: RequestPermissionRequest): Promise<RequestPermissionResponse> => {
    try {
      const { callId, name, call } = await recorder.begun(readCall(request.toolCall))
      const title = call.title ?? name
      const refusal = await permit(claimOf(call, name), { callId, title, diff: diffsOf(call) })
      return { outcome: outcomeOf(request.options, refusal === undefined ? 'allow' : 'deny') }
    } catch (error) {
      if (turn.signal.aborted) return { outcome: { outcome: 'cancelled' } }
      throw requestError(error)
    }
  }
  /** The path as it may be used. */
  const file = async (given: string, own: { name: string; permission: ToolPermission }): Promise<ResolvedPath> => {
    await turn.assertAllowed()
    const path = await workspace.resolve(given)
    if (own.permission === 'edit' && allowed.has(path.real)) return path
    const claim: Claim = { ...own, paths: [given] }
    const refusal = await permit(claim, { callId: `qmt-${own.name}`, title: `${own.name} ${path.shown}` })
    if (refusal !== undefined) throw new RequestError(DENIED, refusal)
    return path
  }
  return {
    permission,
    readFile: async ({ path: given, line, limit }: ReadTextFileRequest): Promise<ReadTextFileResponse> => {
      try {
        const path = await file(given, { name: 'read_file', permission: 'read' })
        return { content: linesOf(await readText(path), line ?? 1, limit ?? undefined) }
      } catch (error) {
        throw requestError(error)
      }
    },
    writeFile: async ({ path: given, content }: WriteTextFileRequest): Promise<void> => {
      const startedAt = clock.monotonic()
      const write = async (): Promise<string> => {
        const path = await file(given, { name: 'write_file', permission: 'edit' })
        await writeAtomic(path.real, content)
        return `wrote ${path.shown} (${content.length} characters)`
      }
      const [outcome] = await Promise.allSettled([write()])
      const isError = outcome.status === 'rejected'
      const output = isError ? toAppError(outcome.reason).message : outcome.value
      await recorder.ran({ name: 'write_file', input: { path: given }, output, isError }, startedAt)
      if (isError) throw requestError(outcome.reason)
    },
  }
}

async function asked(
  { turn, pause, resume }: RequestComponents,
  request: Parameters<TurnContext['ask']>[0],
): ReturnType<TurnContext['ask']> {
  pause()
  try {
    return await turn.ask(request)
  } finally {
    resume()
  }
}

/**
 * Only ever for this once: what was allowed for the session is kept here, where it holds for whom it was asked,
 * and an agent that remembers it by itself would lend it to the next prompt of another node.
 */
function outcomeOf(
  options: readonly PermissionOption[],
  answer: Exclude<PermissionAnswer, 'allow_session'>,
): RequestPermissionResponse['outcome'] {
  const kinds = answer === 'allow' ? (['allow_once'] as const) : (['reject_once', 'reject_always'] as const)
  const option = kinds.map((kind) => options.find((one) => one.kind === kind)).find((one) => one !== undefined)
  return option ? { outcome: 'selected', optionId: option.optionId } : { outcome: 'cancelled' }
}

/** Somebody may have thought about it for an hour: what was allowed must still be what is there. */
async function hasMoved(workspace: Workspace, subjects: readonly PermissionSubject[]): Promise<boolean> {
  for (const { path } of subjects) {
    if (path && (await workspace.resolve(path.given)).real !== path.real) return true
  }
  return false
}

/** One line, whatever an agent wrote: the person decides on what is seen. */
function summaryOf(title: string, { paths, command }: Claim, reason: string): string {
  const more = [command, ...paths].filter((text): text is string => text !== undefined && !title.includes(text))
  const line = [title, ...more].join(' · ').replaceAll('\n', ' ⏎ ').replace(/\p{C}/gu, '\u{FFFD}')
  const shown =
    line.length > MAX_SUMMARY_CHARS
      ? `${line.slice(0, MAX_SUMMARY_CHARS)}… (${line.length - MAX_SUMMARY_CHARS} more characters are not shown)`
      : line
  return reason === '' ? shown : `${shown} (${reason})`
}

async function readText(path: ResolvedPath): Promise<string> {
  // O_NONBLOCK: a pipe without a writer must not hang the open.
  const handle = await open(path.real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const info = await handle.stat()
    if (!info.isFile()) throw new RequestError(DENIED, `${path.shown} is not a plain file`)
    if (info.size > MAX_FILE_BYTES)
      throw new RequestError(DENIED, `${path.shown} has ${info.size} bytes; at most ${MAX_FILE_BYTES} are read`)
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}

function linesOf(text: string, first: number, limit: number | undefined): string {
  if (first <= 1 && limit === undefined) return text
  const from = Math.max(0, first - 1)
  return text
    .split('\n')
    .slice(from, limit === undefined ? undefined : from + limit)
    .join('\n')
}

const requestError = (error: unknown): RequestError =>
  error instanceof RequestError ? error : new RequestError(DENIED, toAppError(error).message)
