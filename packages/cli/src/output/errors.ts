import { toAppError } from '@qmtcode/protocol'
import { printable } from './printable.ts'
import type { Style } from './style.ts'

/** `error[code]: message`, and what to do. The message may come from a peer. */
export function errorLines(error: unknown, style: Style): string[] {
  const { code, message, hint } = toAppError(error)
  const lines = [`${style.red(`error[${code}]:`)} ${printable(message)}`]
  if (hint !== undefined) lines.push(`${style.cyan('hint:')} ${printable(hint)}`)
  return lines
}
