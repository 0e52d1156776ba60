import type { SessionId } from '@qmtcode/protocol'
import { ATTACH_WAYS } from './support/attaching.ts'
import type { AttachWay } from './support/attaching.ts'
import type { Bench } from './support/bench.ts'
import { openCrowd } from './support/crowd.ts'
import { rowOf } from './support/rounds.ts'

const EVENTS = 10_000
const PLACES = [
  { role: 'host', what: 'attach' },
  { role: 'peer', what: 'attach over the mesh' },
] as const

/** What a person waits for who opens a long session: at the node that holds it, and over a link to it. */
export const attach: Bench = {
  name: 'attach',
  async run(context) {
    const { host, crowds } = await openCrowd(context, [1])
    const [id] = await host.call<SessionId[]>('create', { count: 1, events: EVENTS })
    await host.call('prompt', { id })
    await host.call('say')
    const rows = []
    for (const place of PLACES) {
      const role = place.role === 'host' ? host : crowds[0]
      for (const [way, { what, budget }] of Object.entries(ATTACH_WAYS) as [AttachWay, (typeof ATTACH_WAYS)[AttachWay]][]) {
        const figures = (await role?.call<number[]>('attach', { id, way, rounds: context.rounds })) ?? []
        rows.push(
          rowOf({ bench: 'attach', what: `${place.what} to 10,000 events: ${what}`, unit: 'ms', budget: { atMost: budget } }, figures),
        )
      }
    }
    return rows
  },
}
