import { addressProblem, readAddress, readPeerId } from '@qmtcode/mesh/addresses'
import type { AddressUse } from '@qmtcode/mesh/addresses'
import { LIMITS, nodeNameSchema } from '@qmtcode/protocol'
import { z } from 'zod'

/** What a custom issue says instead of the value's own problem when the value came from the environment. */
interface WhatParams {
  what: string
}

function checked(what: string, problemOf: (text: string) => string | undefined) {
  return z.string().superRefine((text, context) => {
    const message = problemOf(text)
    if (message !== undefined) context.addIssue({ code: 'custom', message, params: { what } satisfies WhatParams })
  })
}

const expected = (what: string, text: string): string => `expected ${what}, got ${JSON.stringify(clip(text))}`
const clip = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text)

export const address = (use: AddressUse) =>
  checked(use === 'dial' ? 'a multiaddr to dial' : 'a multiaddr to listen on', (text) => {
    const reading = readAddress(text, use)
    return reading.ok ? undefined : `${JSON.stringify(clip(text))}: ${addressProblem(reading)}`
  })

export const peerId = () =>
  checked('a peer id', (text) => {
    const reading = readPeerId(text)
    return reading.ok ? undefined : `${JSON.stringify(clip(text))}: ${reading.reason}`
  })

const matching = (pattern: RegExp, what: string) => checked(what, (text) => (pattern.test(text) ? undefined : expected(what, text)))

const NODE_NAME = `a node name (letters, digits, _ . -, at most ${LIMITS.nodeNameChars})`
export const nodeName = () => checked(NODE_NAME, (text) => (nodeNameSchema.safeParse(text).success ? undefined : expected(NODE_NAME, text)))
export const agentId = () => matching(/^[A-Za-z0-9][\w.-]{0,62}$/, 'an id (letters, digits, _ . -, at most 63)')
export const providerName = () => matching(/^[\w.-]{1,60}$/, 'a provider name (letters, digits, _ . -, at most 60)')
/** A configured or advertised name, or a whole peer id; a short form of an id is for people, not for files. */
export const peerRef = () => matching(/^[A-Za-z0-9][\w.-]{0,63}$/, 'the name of a peer, a peer id or "any"')

/** Its own problem is told without the text: a URL may hold a password. */
export const httpUrl = () => checked('an http or https URL', (text) => (isHttpUrl(text) ? undefined : 'expected an http or https URL'))

function isHttpUrl(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && ['http:', 'https:'].includes(url.protocol) && url.hostname !== ''
}

export const text = () => z.string().min(1)
export const texts = () => z.array(text())
export const oneOrMany = <Item extends z.ZodType>(item: Item) => z.union([item, z.array(item)])
export const seconds = (min = 1) =>
  z
    .number()
    .int()
    .min(min)
    .max(86_400 * 7)
export const count = (min: number, max: number) => z.number().int().min(min).max(max)
