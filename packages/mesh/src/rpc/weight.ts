import { AppError, LIMITS } from '@qmtcode/protocol'

/** Memory of one value of JSON, about: `[]` is two bytes on the wire. */
const VALUE_COST = 64
/** Text below this is not worth a look. */
const LIGHT_BYTES = 16_384

const [QUOTE, BACKSLASH, COMMA, BRACKET, BRACE] = [0x22, 0x5c, 0x2c, 0x5b, 0x7b]

/** What JSON will take in memory once it is parsed, beside its own bytes. Throws too_large, before that is taken, above LIMITS.callValues. */
export function weightOf(json: Uint8Array): number {
  if (json.byteLength < LIGHT_BYTES) return 0
  let values = 1
  let isInText = false
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at]
    if (byte === QUOTE) isInText = !isInText
    else if (isInText) at += byte === BACKSLASH ? 1 : 0
    else if (byte === COMMA || byte === BRACKET || byte === BRACE) values += 1
    if (values > LIMITS.callValues) throw new AppError('too_large', `a call of more than ${LIMITS.callValues} values`)
  }
  return values * VALUE_COST
}
