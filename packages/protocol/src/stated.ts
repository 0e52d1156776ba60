import { z } from 'zod'
import { LIMITS } from './limits.ts'

/**
 * Schemas of what others state: peers, their models, their sessions. Every number and string that crosses between nodes is one of
 * these, so that no reader (a table, JSON, an editor, a tool, a model) meets a value that it cannot show. `stated.test.ts` walks all
 * contracts and refuses any other.
 */

/** The greatest number that a `Date` holds. */
const LAST_DATE_MS = 8.64e15
const DAY_MS = 86_400_000

/** A date, whenever it is: the end of a grant, for example. */
export const statedDate = () => z.int().min(0).max(LAST_DATE_MS)

/** When something happened. Clocks differ: what lies more than a day ahead is taken for a day ahead. What no `Date` holds is refused. */
export const statedInstant = () => z.number().min(0).max(LAST_DATE_MS).overwrite(notAhead)

/** `at`, and at most a day ahead of this node's clock. */
export const notAhead = (at: number, now = Date.now()): number => Math.min(at, now + DAY_MS)

/** `2026-01-31T23:59:59.000Z`; of a number that no `Date` holds the date that is nearest. */
export function isoTime(at: number): string {
  const held = Number.isNaN(at) ? 0 : Math.max(-LAST_DATE_MS, Math.min(at, LAST_DATE_MS))
  return new Date(held).toISOString()
}

/** A place in an order: an event's number, a version. */
export const statedCounter = () => z.int().min(0).max(Number.MAX_SAFE_INTEGER)

const MAX_COUNT = 1_000_000_000_000

/** How many there are: requests, sessions, bytes, tokens. Sums of these stay exact. */
export const statedCount = () => z.int().min(0).max(MAX_COUNT)

/** The same of what need not be whole. */
export const statedAmount = () => z.number().min(0).max(MAX_COUNT)

/** Milliseconds that something took, or that something shall wait; a year is for ever. */
export const statedMs = () => z.number().min(0).overwrite(atMostAYear)
const atMostAYear = (ms: number): number => Math.min(ms, 365 * DAY_MS)

/** Milliseconds between two clocks, either way. */
export const statedDifferenceMs = () => z.number().min(-LAST_DATE_MS).max(LAST_DATE_MS)

/** A text of any lines, for example a message. Its control characters stay: whoever shows it takes them out. */
export const statedText = (max: number = LIMITS.textChars) => z.string().max(max)

/** One line for people or models: no control character, no mark that reorders or hides text, no half of a character. */
export const statedLine = (max: number) => z.string().max(max).overwrite(oneLine)

/** What a node, an agent, a model or a person is called. */
export const statedName = (max: number = LIMITS.nameChars) => statedLine(max)

/** Why something is as it is, as another node words it: what is too long is cut, since the rest of the answer counts too. */
export const statedReason = () =>
  z
    .string()
    .max(LIMITS.callBytes)
    .overwrite((text) => oneLine(text.slice(0, LIMITS.reasonChars)))

/** Compared, never shown as it is: its very characters count. */
export const statedId = () => z.string().max(LIMITS.nameChars)

/** A path on the host: its very characters count, also those that no terminal shows. */
export const statedPath = () => z.string().max(LIMITS.pathChars)

/** A multiaddr, or how a node is reached otherwise. */
export const statedAddress = () => statedLine(LIMITS.addressChars)

// C0, DEL, C1, bidi controls, line separators, byte order marks, tags.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|[\u{e0000}-\u{e007f}]/gu // eslint-disable-line no-control-regex
/** What most ids, names and lines are made of. */
const PLAIN = /^[ -~]*$/

/** `text` on one line, with a blank for each character that is not to be seen. */
export function oneLine(text: string): string {
  if (PLAIN.test(text)) return text
  return text.toWellFormed().replace(UNSEEN, ' ')
}
