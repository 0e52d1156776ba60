import { setTimeout as delay } from 'node:timers/promises'
import { isAppError, toAppError } from '@qmtcode/protocol'
import type { Logger, Trust } from '@qmtcode/protocol'
import { inviteFromFile } from './invite-file.ts'

const IS_PATH = /^(\.{0,2}[/\\]|[A-Za-z]:[/\\])/ // of anything else nothing is shown: it may be an invite with a fault
const AGAIN_AFTER_MS = 5_000

export interface JoiningComponents {
  trust: Trust
  logger: Logger
  /** A line for the person. */
  notice(line: string): void
}

/**
 * Redeems the invite of the configuration (or in the file that it names), if this node is no member by it yet; the invite is told to nobody.
 * Resolves after the first try; goes on while the inviter cannot be reached.
 */
export async function startJoining(components: JoiningComponents, invite: string): Promise<AsyncDisposable> {
  const stopped = new AbortController()
  const isDone = await tryOnce(components, invite, stopped.signal)
  const running = isDone ? Promise.resolve() : goOn(components, invite, stopped.signal)
  return {
    [Symbol.asyncDispose]: async () => {
      stopped.abort()
      await running
    },
  }
}

async function goOn(components: JoiningComponents, invite: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await delay(AGAIN_AFTER_MS, undefined, { signal, ref: false }).catch(() => undefined)
    if (signal.aborted || (await tryOnce({ ...components, notice: () => {} }, invite, signal))) return
  }
}

/** Whether there is nothing more to try. */
async function tryOnce({ trust, logger, notice }: JoiningComponents, invite: string, signal: AbortSignal): Promise<boolean> {
  try {
    const text = IS_PATH.test(invite) ? await inviteFromFile(invite) : invite
    const joined = await trust.join(text, { signal, unlessMember: true })
    logger.info('member of a mesh', { root: joined.root, role: joined.role })
    return true
  } catch (error) {
    const { code, message, hint } = toAppError(error)
    if (signal.aborted) return true
    logger.warn('the invite was not redeemed', { code, error: message })
    notice(`[mesh] invite: ${message}${hint === undefined ? '' : `; ${hint}`}`)
    return !isAppError(error, 'peer_unreachable', 'timeout', 'link_lost')
  }
}
