import pc from 'picocolors'
import type { Components, OutputStream } from '../node-handle.ts'

export type Style = ReturnType<typeof pc.createColors>

/** Colours for one stream: only for a terminal, and not under NO_COLOR; FORCE_COLOR asks for them anyway. */
export function styleFor(stream: OutputStream, env: Components['env']): Style {
  return pc.createColors(wantsColour(stream, env))
}

function wantsColour(stream: OutputStream, env: Components['env']): boolean {
  if (env['NO_COLOR']) return false
  if (env['FORCE_COLOR'] && env['FORCE_COLOR'] !== '0') return true
  return stream.isTTY === true && env['TERM'] !== 'dumb'
}
