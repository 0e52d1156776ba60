import { AppError } from '@qmtcode/protocol'
import type { RouteTarget } from '@qmtcode/protocol'
import { requireModelRef } from '../models/model-id.ts'

/** What a call asks for, before anybody was looked for. */
export interface Wish {
  target: RouteTarget
  /** `provider/model`. Absent: the default of wherever it goes. */
  model?: string
  reason: 'local' | 'peer' | 'any' | 'named'
}

/** A node in the model's name is nearer to the person than the agent's target. */
export function wishOf(target: RouteTarget, written: string | undefined): Wish {
  if (written === undefined) return { target, reason: target.kind }
  const { node, provider, model } = requireModelRef(written)
  const id = `${provider}/${model}`
  if (node === undefined) return { target, model: id, reason: target.kind }
  return { target: { kind: 'peer', peer: node }, model: id, reason: 'named' }
}

export const noMesh = (peer: string): AppError =>
  new AppError('peer_unreachable', `the model is to come from "${peer}", but this node runs no mesh`, {
    hint: 'start it with --mesh, or add a [mesh] table',
  })
