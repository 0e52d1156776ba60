import { AppError } from '@qmtcode/protocol'
import type { RouteTarget } from '@qmtcode/protocol'
import { parseModelId } from '../models/model-id.ts'

/** A model as a person writes it: `provider/model`, or `node:provider/model`. */
interface WrittenModel {
  node?: string
  /** `provider/model`. */
  model: string
}

/** The node is what precedes the first `:` if no `/` comes before it. Throws bad_request for what is no model. */
function parseWrittenModel(written: string): WrittenModel {
  const colon = written.indexOf(':')
  const slash = written.indexOf('/')
  const hasNode = colon > 0 && (slash < 0 || colon < slash)
  const model = hasNode ? written.slice(colon + 1) : written
  parseModelId(model)
  return hasNode ? { node: written.slice(0, colon), model } : { model }
}

/** What a call asks for, before anybody was looked for. */
export interface Wish {
  target: RouteTarget
  /** Absent: the default of wherever it goes. */
  model?: string
  reason: 'local' | 'peer' | 'any' | 'named'
}

/** A node in the model's name is nearer to the person than the agent's target. */
export function wishOf(target: RouteTarget, written: string | undefined): Wish {
  if (written === undefined) return { target, reason: target.kind }
  const { node, model } = parseWrittenModel(written)
  if (node === undefined) return { target, model, reason: target.kind }
  return { target: { kind: 'peer', peer: node }, model, reason: 'named' }
}

export const noMesh = (peer: string): AppError =>
  new AppError('peer_unreachable', `the model is to come from "${peer}", but this node runs no mesh`, {
    hint: 'start it with --mesh, or add a [mesh] table',
  })
