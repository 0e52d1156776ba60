import { z } from 'zod'

export type Brand<Name extends string> = string & { readonly __brand: Name }

export type PeerId = Brand<'PeerId'>
export type SessionId = Brand<'SessionId'>
export type PromptId = Brand<'PromptId'>
export type MessageId = Brand<'MessageId'>

const branded = <Name extends string>(pattern: RegExp, what: string) =>
  z
    .string()
    .regex(pattern, `not ${what}`)
    .transform((value) => value as Brand<Name>)

/** base58btc ed25519 (`12D3Koo…`) and other libp2p ids; whether it is a real one is checked where it is used as a key. */
export const peerIdSchema = branded<'PeerId'>(/^[1-9A-HJ-NP-Za-km-z]{46,64}$/, 'a peer id')
export const sessionIdSchema = branded<'SessionId'>(/^ses_[0-9a-z]{4,40}$/, 'a session id (ses_…)')
/** The caller's own; a repeat within a session returns the first receipt. */
export const promptIdSchema = branded<'PromptId'>(/^[\w.-]{1,80}$/, 'a prompt id (letters, digits, _ . -, at most 80)')
export const messageIdSchema = branded<'MessageId'>(/^[\w.-]{1,80}$/, 'a message id')

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz' // Crockford base 32: no i, l, o, u

/** `prefix_` and 16 random characters (80 bits). */
export function newId(prefix: string): string {
  let id = `${prefix}_`
  for (const byte of crypto.getRandomValues(new Uint8Array(16))) id += ALPHABET.charAt(byte & 31)
  return id
}

export const newSessionId = (): SessionId => newId('ses') as SessionId
export const newPromptId = (): PromptId => newId('pr') as PromptId
export const newMessageId = (): MessageId => newId('msg') as MessageId
