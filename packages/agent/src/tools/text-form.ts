import { isUtf8 } from 'node:buffer'

const BOM = '\uFEFF'

export interface FormedText {
  text: string
  /** What of the file's form could not be kept, for the model. Empty: all was. */
  notes: string[]
}

/** New text in the form that the file's old bytes had: a byte order mark and CRLF line ends stay, whatever the model wrote. */
export function inFormOf(before: Uint8Array, content: string): FormedText {
  if (before.length === 0) return { text: content, notes: [] }
  if (isUtf16(before)) return { text: content, notes: ['the file was UTF-16 and is UTF-8 now'] }
  if (!isUtf8(before)) return { text: content, notes: ['the file was not UTF-8 text and is UTF-8 now'] }
  const old = Buffer.from(before).toString('utf8')
  const notes: string[] = []
  let text = content
  if (old.startsWith(BOM) && !text.startsWith(BOM)) text = BOM + text
  if (hasOnlyCrlf(old) && !text.includes('\r\n') && text.includes('\n')) {
    text = text.replaceAll('\n', '\r\n')
    notes.push('its CRLF line ends were kept')
  } else if (hasOnlyLf(old) && hasOnlyCrlf(text)) notes.push('its line ends were LF and are CRLF now')
  return { text, notes }
}

const isUtf16 = ([first, second]: Uint8Array): boolean => (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)
const hasOnlyCrlf = (text: string): boolean => text.includes('\r\n') && !/(?:^|[^\r])\n/.test(text)
const hasOnlyLf = (text: string): boolean => text.includes('\n') && !text.includes('\r\n')
