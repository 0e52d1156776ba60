// Escape sequences as a terminal reads them: CSI, then strings (OSC, DCS, PM, APC, SOS) up to their end, then the two-byte ones.
// A string without an end is cut at the line's end: what follows is text again.
const SEQUENCES = new RegExp(
  [
    String.raw`(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]`,
    String.raw`(?:\u001b[\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\u0007\u001b\u009c\n]*(?:\u0007|\u001b\\|\u009c)?`,
    String.raw`\u001b[ -/]*[0-~]`,
  ].join('|'),
  'g',
)
// C0 but tab and newline, DEL, C1; and the marks that reorder or hide text (bidi controls, line separators, tags).
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|[\u{e0000}-\u{e007f}]/gu // eslint-disable-line no-control-regex

/**
 * Text of a peer, a model or a tool, made safe for a terminal: no escape sequence and no control character but tab and newline.
 * Also safe for a piece of a longer text: a sequence that is cut in two loses what would have started it.
 */
export function printable(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(SEQUENCES, '').replace(CONTROLS, '')
}

/** Words of ASCII, a blank between them: what most ids and names are. */
const PLAIN_LINE = /^(?:[!-~]+(?: [!-~]+)*)?$/

/** The same on one line: blanks run together, and no more than `maxChars`. */
export function printableLine(text: string, maxChars = 200): string {
  if (text.length <= maxChars && PLAIN_LINE.test(text)) return text
  const line = printable(text.slice(0, maxChars * 4))
    .replaceAll(/\s+/g, ' ')
    .trim()
  const chars = Array.from(line)
  return chars.length > maxChars ? `${chars.slice(0, maxChars - 1).join('')}…` : line
}

// What JSON leaves as it is and a terminal obeys.
const UNSAFE_IN_JSON = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

/** JSON on one line, with every control character escaped: the same value for a program, harmless in a terminal. */
export function jsonLine(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, undefined, indent)
  return text.replace(UNSAFE_IN_JSON, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
