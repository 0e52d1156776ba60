import { AppError, LIMITS, exceedsDepth, statedName } from '@qmtcode/protocol'
import type { Method } from '@qmtcode/protocol'
import { z } from 'zod'
import { RPC_VERSION } from './frames.ts'
import type { ServedContract } from './types.ts'
import { parseJson } from './values.ts'

/** The first frame of a call. */
export interface CallHead {
  name: string
  trace: string
  /** Still packed. */
  params: unknown
  method: Method
}

const versionSchema = z.looseObject({ v: z.int().nonnegative() })
const headSchema = z.object({ v: z.int(), method: z.string().max(100), trace: statedName(100), params: z.unknown() })

/** Throws bad_request, and unsupported for a version or a method that is not ours. */
export function parseHead(payload: Buffer, { contract }: ServedContract): CallHead {
  const json = parseJson(payload.toString('utf8'))
  if (exceedsDepth(json, LIMITS.jsonDepth + 1)) throw new AppError('bad_request', `a call nests deeper than ${LIMITS.jsonDepth} levels`)
  const version = versionSchema.safeParse(json)
  if (!version.success) throw new AppError('bad_request', 'a call without a version')
  const { v } = version.data
  if (v !== RPC_VERSION) throw unsupported(`the caller speaks rpc version ${v}, this node version ${RPC_VERSION}`)
  const head = headSchema.safeParse(json)
  if (!head.success) throw new AppError('bad_request', `a malformed call: ${head.error.issues[0]?.message ?? ''}`)
  const { method: name, trace, params } = head.data
  const method = Object.hasOwn(contract.methods, name) ? contract.methods[name] : undefined
  if (!method) {
    throw unsupported(
      `${contract.service} version ${contract.version} of this node has no method "${name}" (rpc version ${v} of the caller, ${RPC_VERSION} here)`,
    )
  }
  return { name, trace, params, method }
}

const unsupported = (message: string): AppError =>
  new AppError('unsupported', message, { hint: 'run the same version of qmtcode on both nodes' })
