import type { LanguageModelV4StreamPart } from '@ai-sdk/provider'
import { randomUUID } from 'node:crypto'
import type { CallPiece } from './chunk.ts'

type Part = LanguageModelV4StreamPart

interface OpenCall {
  index?: number
  serverId?: string
  id: string
  name: string
  input: string
  signature?: string
  isStarted: boolean
}

/** Puts the pieces of tool calls together, however a server cuts and numbers them. */
export interface CallAssembly {
  readonly size: number
  add(piece: CallPiece): Part[]
  /** What ends the calls, once the answer is over. */
  end(): Part[]
}

export function createCallAssembly(): CallAssembly {
  const calls: OpenCall[] = []

  const find = ({ index, id }: CallPiece): OpenCall | undefined => {
    const last = calls.at(-1)
    if (id !== undefined) {
      const same = calls.findLast((call) => call.serverId === id && (index === undefined || call.index === index))
      if (same) return same
      // Another id at the same index is another call, as some servers number all of theirs 0; a call that has none yet takes it.
      const open = calls.findLast((call) => call.index === index && call.serverId === undefined)
      return index === undefined ? undefined : open
    }
    return index === undefined ? last : calls.findLast((call) => call.index === index)
  }
  return {
    get size() {
      return calls.length
    },
    add(piece) {
      let call = find(piece)
      const isNext = call !== undefined && piece.id === undefined && startsAnother(call, piece)
      if (!call || isNext) {
        call = { index: piece.index, serverId: piece.id, id: '', name: '', input: '', isStarted: false }
        calls.push(call)
      }
      call.serverId ??= piece.id
      call.signature ??= piece.signature
      // The name may come in pieces, or whole with every piece.
      if (piece.name !== undefined && piece.name !== call.name && !call.isStarted) call.name += piece.name
      return grown(call, piece.input ?? '', calls)
    },
    end: () => calls.flatMap((call) => ended(call, calls)),
  }
}

/** A name after whole arguments, without an id to tell the calls apart. */
const startsAnother = (call: OpenCall, piece: CallPiece): boolean => piece.name !== undefined && call.input !== '' && isJson(call.input)

function grown(call: OpenCall, input: string, others: readonly OpenCall[]): Part[] {
  if (input === '') return []
  const parts: Part[] = call.isStarted ? [] : started(call, others)
  call.input += input
  return [...parts, { type: 'tool-input-delta', id: call.id, delta: input }]
}

/** A server that gives two calls one id gets it once: results are told apart by ids. */
function started(call: OpenCall, others: readonly OpenCall[]): Part[] {
  call.isStarted = true
  const isTaken = others.some((other) => other !== call && other.id === call.serverId)
  call.id = call.serverId !== undefined && !isTaken ? call.serverId : `call_${randomUUID().replaceAll('-', '').slice(0, 20)}`
  return [{ type: 'tool-input-start', id: call.id, toolName: call.name }]
}

function ended(call: OpenCall, others: readonly OpenCall[]): Part[] {
  const start = call.isStarted ? [] : started(call, others)
  const metadata = call.signature === undefined ? undefined : { google: { thoughtSignature: call.signature } }
  const input = call.input.trim() === '' ? '{}' : call.input
  return [
    ...start,
    { type: 'tool-input-end', id: call.id },
    { type: 'tool-call', toolCallId: call.id, toolName: call.name, input, providerMetadata: metadata },
  ]
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
