import { join } from 'node:path'
import type { PeerId, SessionId } from '@qmtcode/protocol'
import type { Following } from '../roles/followers.ts'
import type { BenchContext } from './bench.ts'
import type { Role } from './children.ts'
import type { Place } from './mesh.ts'
import type { Lags } from './stamps.ts'

/** A process that hosts sessions, and processes with nodes that are linked to it. */
export interface SessionCrowd {
  host: Role
  crowds: Role[]
}

/** `sizes`: nodes of each process. Resolves when all are connected. */
export async function openCrowd({ children, directory }: BenchContext, sizes: readonly number[]): Promise<SessionCrowd> {
  const host = children.role(new URL('../roles/session-host.ts', import.meta.url))
  const members = sizes.map((count, index) => ({
    role: children.role(new URL('../roles/followers.ts', import.meta.url)),
    crowd: { directory: join(directory, `crowd-${index}`), count },
  }))
  const guests = await Promise.all(members.map(({ role, crowd }) => role.call<PeerId[]>('identities', crowd)))
  const place = await host.call<Place>('open', { directory: join(directory, 'host'), guests: guests.flat() })
  await Promise.all(members.map(({ role, crowd }) => role.call('connect', { ...crowd, host: place })))
  return { host, crowds: members.map(({ role }) => role) }
}

/** Makes a session with a turn that publishes what it is told, and has every node of each process follow it. */
export async function followOne({ host, crowds }: SessionCrowd, sizes: readonly number[]): Promise<SessionId> {
  const [id] = await host.call<SessionId[]>('create', { count: 1, events: 1 })
  if (id === undefined) throw new Error('no session was made')
  const following: Following = { id, after: (await host.call<number>('head', { id })) - 1 }
  await host.call('prompt', { id })
  await Promise.all(
    crowds.map((crowd, index) => crowd.call('follow', { sessions: Array.from({ length: sizes[index] ?? 0 }, () => following) })),
  )
  return id
}

/** What all of `crowds` measured since the last time, once each has got event `seq`. */
export async function lagsUpTo(seq: number, crowds: readonly Role[]): Promise<Lags> {
  await Promise.all(crowds.map((crowd) => crowd.call('reached', { seq })))
  const all = await Promise.all(crowds.map((crowd) => crowd.call<Lags>('lags')))
  return { deltas: all.flatMap(({ deltas }) => deltas), durables: all.flatMap(({ durables }) => durables) }
}
