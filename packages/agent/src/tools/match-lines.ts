import { Buffer } from 'node:buffer'
import { z } from 'zod'

const MAX_LINE_CHARS = 300
/** Shown on each side of a match in a line that is longer. */
const AROUND_CHARS = 100
const MAX_PLACES = 20 // of one line

const textSchema = z.union([z.object({ text: z.string() }), z.object({ bytes: z.string() })])
const matchSchema = z.object({
  type: z.literal('match'),
  data: z.object({
    path: textSchema,
    line_number: z.number().nullable(),
    lines: textSchema,
    submatches: z.array(z.object({ start: z.number(), end: z.number() })),
  }),
})

export interface MatchLine {
  path: string
  /** `12: text`, or for a place in a long line `12:4711: …text…` with the column of the match. */
  shown: string[]
}

/** One line of ripgrep's `--json`. Undefined for lines that are not a match. */
export function readMatchLine(line: string): MatchLine | undefined {
  if (!line.startsWith('{"type":"match"')) return undefined
  const parsed = matchSchema.safeParse(JSON.parse(line))
  if (!parsed.success) return undefined
  const { path, line_number: number, lines, submatches } = parsed.data.data
  const bytes = bytesOf(lines)
  const place = number === null ? '' : `${number}`
  const name = bytesOf(path).toString('utf8')
  if (bytes.includes(0)) return { path: name, shown: [`${place}: [a match in binary data]`] }
  const text = decode(bytes).trimEnd()
  if (text.length <= MAX_LINE_CHARS) return { path: name, shown: [`${place}: ${text}`] }
  return { path: name, shown: placesIn(text, { bytes, place, submatches }) }
}

interface LongLine {
  bytes: Buffer
  place: string
  submatches: { start: number; end: number }[]
}

/** Each match of a long line with what stands around it; matches that one window shows share it. */
function placesIn(text: string, { bytes, place, submatches }: LongLine): string[] {
  const shown: string[] = []
  let shownUntil = -1
  for (const { start, end } of submatches) {
    const from = decode(bytes.subarray(0, start)).length
    const to = from + decode(bytes.subarray(start, end)).length
    if (to <= shownUntil) continue
    if (shown.length === MAX_PLACES) return [...shown, `${place}: [more matches in this line]`]
    const window = { start: Math.max(0, from - AROUND_CHARS), end: Math.min(text.length, Math.max(to, from + 1) + AROUND_CHARS) }
    const cutEnd = Math.min(window.end, window.start + MAX_LINE_CHARS)
    const piece = text.slice(window.start, cutEnd)
    shown.push(`${place}:${from + 1}: ${window.start > 0 ? '…' : ''}${piece}${cutEnd < text.length ? '…' : ''}`.toWellFormed())
    shownUntil = cutEnd
  }
  return shown
}

const bytesOf = (value: z.infer<typeof textSchema>): Buffer =>
  'text' in value ? Buffer.from(value.text, 'utf8') : Buffer.from(value.bytes, 'base64')

/** UTF-8, or where it is not, Latin-1: a match in an old file is shown all the same. */
function decode(bytes: Buffer): string {
  const text = bytes.toString('utf8')
  return text.includes('\uFFFD') ? bytes.toString('latin1') : text
}
