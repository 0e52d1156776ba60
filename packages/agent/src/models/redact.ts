const MAX_CHARS = 500

const SECRETS: readonly [pattern: RegExp, replacement: string][] = [
  [/\b(https?:\/\/)[^\s/@"']+@/gi, '$1[redacted]@'],
  [/([?&](?:key|api[-_]?key|token|access_token|signature)=)[^&\s"']+/gi, '$1[redacted]'],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{8,}/gi, '$1 [redacted]'],
  [/\b(?:sk|pk|rk|gsk|xai|hf|ghp|gho)[-_][\w*-]{6,}/g, '[redacted]'],
  [/\bAIza[\w-]{10,}/g, '[redacted]'],
]

/** One line of at most 500 characters, without `secrets` and without what looks like a key. */
export function redact(text: string, secrets: readonly string[] = []): string {
  let clean = text
  for (const secret of secrets) if (secret !== '') clean = clean.replaceAll(secret, '[redacted]')
  for (const [pattern, replacement] of SECRETS) clean = clean.replace(pattern, replacement)
  clean = clean.replace(/\s+/g, ' ').trim()
  return clean.length > MAX_CHARS ? `${clean.slice(0, MAX_CHARS - 1)}…` : clean
}
