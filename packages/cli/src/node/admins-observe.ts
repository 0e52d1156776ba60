import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { AppError, peerIdSchema, toAppError } from '@qmtcode/protocol'
import type { Clock, KnownPeer, Logger, PeerId, Role } from '@qmtcode/protocol'
import { z } from 'zod'

/** Since when each admin may observe the sessions of this node: the later of `admins_observe` and its own role. */
export interface AdminsObserve {
  /** Asked for an admin: one that was not heard of yet begins now. Undefined: admins do not observe. */
  since(peerId: PeerId): number | undefined
  /** A peer's role is another now. */
  changed(peerId: PeerId, role: Role | undefined): void
}

const fileSchema = z.object({ version: z.literal(1), admins: z.record(peerIdSchema, z.number()) })

export interface AdminsObserveOptions {
  /** Bears what is held over a restart. It goes with the setting: who gives the right again gives it from then on. */
  file: string
  enabled: boolean
  /** At the start. */
  peers: readonly Pick<KnownPeer, 'peerId' | 'role'>[]
}

/** Throws bad_config for a file that cannot be read, and for one that cannot be removed. */
export function openAdminsObserve(components: { clock: Clock; logger: Logger }, options: AdminsObserveOptions): AdminsObserve {
  const { clock, logger } = components
  const { file, enabled, peers } = options
  if (!enabled) {
    remove(file)
    return { since: () => undefined, changed: () => {} }
  }
  const held = read(file)
  const admins = new Map<PeerId, number>()
  for (const { peerId, role } of peers) if (role === 'admin') admins.set(peerId, held.get(peerId) ?? clock.now())
  const save = (): void => write(file, admins)
  save()
  const changed: AdminsObserve['changed'] = (peerId, role) => {
    const isAdmin = role === 'admin'
    if (isAdmin === admins.has(peerId)) return
    if (isAdmin) admins.set(peerId, clock.now())
    else admins.delete(peerId)
    try {
      save()
    } catch (error) {
      logger.warn('since when an admin observes is not kept', { peerId, error: toAppError(error).message })
    }
  }
  return {
    since(peerId) {
      changed(peerId, 'admin')
      return admins.get(peerId)
    },
    changed,
  }
}

function read(file: string): Map<PeerId, number> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return new Map()
    throw new AppError('bad_config', `cannot read ${file}: ${(cause as Error).message}`, { cause, hint: `ls -l ${file}` })
  }
  try {
    return new Map(Object.entries(fileSchema.parse(JSON.parse(text)).admins) as [PeerId, number][])
  } catch (cause) {
    throw new AppError('bad_config', `${file} is corrupt`, { cause, hint: `rm ${file}: admins then observe what begins from now on` })
  }
}

function write(file: string, admins: ReadonlyMap<PeerId, number>): void {
  const temporary = `${file}.tmp`
  try {
    writeFileSync(temporary, `${JSON.stringify({ version: 1, admins: Object.fromEntries(admins) })}\n`, { mode: 0o600 })
    renameSync(temporary, file)
  } catch (cause) {
    throw new AppError('internal', `cannot write ${file}: ${(cause as Error).message}`, { cause })
  }
}

function remove(file: string): void {
  try {
    rmSync(file, { force: true })
  } catch (cause) {
    throw new AppError('bad_config', `cannot remove ${file}: ${(cause as Error).message}`, { cause, hint: `rm ${file}` })
  }
}
