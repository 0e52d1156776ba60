/** A run of characters that look the same. Colours are the sixteen of a terminal: 0 to 7, bright ones from 8. */
export interface Span {
  text: string
  foreground?: number
  background?: number
  bold: boolean
  dim: boolean
}

const SEQUENCE = /\u001b\[([\d;]*)m|\u001b[^[]?|([^\u001b]+)/gu // oxlint-disable-line no-control-regex

/** Lines with the colours that `tmux capture-pane -e` tells; a style lasts over line ends. */
export function parseLines(lines: readonly string[]): Span[][] {
  let look: Omit<Span, 'text'> = { bold: false, dim: false }
  return lines.map((line) => {
    const spans: Span[] = []
    for (const [, codes, text] of line.matchAll(SEQUENCE)) {
      if (text !== undefined) spans.push({ text, ...look })
      else if (codes !== undefined) look = codes.split(';').reduce((before, code) => changed(before, Number(code)), look)
    }
    return spans
  })
}

function changed(look: Omit<Span, 'text'>, code: number): Omit<Span, 'text'> {
  if (code === 0) return { bold: false, dim: false }
  if (code === 1) return { ...look, bold: true }
  if (code === 2) return { ...look, dim: true }
  if (code === 22) return { ...look, bold: false, dim: false }
  if (code === 39) return { ...look, foreground: undefined }
  if (code === 49) return { ...look, background: undefined }
  if (code >= 30 && code <= 37) return { ...look, foreground: code - 30 }
  if (code >= 90 && code <= 97) return { ...look, foreground: code - 82 }
  if (code >= 40 && code <= 47) return { ...look, background: code - 40 }
  if (code >= 100 && code <= 107) return { ...look, background: code - 92 }
  return look
}
