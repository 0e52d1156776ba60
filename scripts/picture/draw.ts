import type { Span } from './ansi.ts'

const LINE_PX = 19
const CHAR_PX = 7.83
const MARGIN_PX = 20
const BAR_PX = 32
const GAP_PX = 18

/** A window of a picture. */
export interface Panel {
  title: string
  lines: readonly Span[][]
}

const LIGHT = ['#1f2328', '#cf222e', '#1a7f37', '#9a6700', '#0969da', '#8250df', '#1b7c83', '#59636e']
const DARK = ['#e6edf3', '#ff7b72', '#3fb950', '#d29922', '#58a6ff', '#bc8cff', '#39c5cf', '#8d96a0']

/** Panels below each other, in light and dark. */
export function draw(panels: readonly Panel[], { columns, label }: { columns: number; label: string }): string {
  const width = Math.ceil(MARGIN_PX * 2 + columns * CHAR_PX)
  const drawn: string[] = []
  let top = 0
  for (const panel of panels) {
    const { svg, height } = drawPanel(panel, { top, width })
    drawn.push(svg)
    top += height + GAP_PX
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${Math.ceil(top - GAP_PX)}" role="img" aria-label="${escape(label)}">
<style>
  .card { fill: #ffffff; stroke: #d0d7de } .bar { fill: #f6f8fa } .dot { fill: #d0d7de } .title { fill: #59636e; text-anchor: middle }
  text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; white-space: pre; fill: #1f2328 }
  .bold { font-weight: 600 } .dim { fill: #59636e } ${colours(LIGHT)}
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #30363d } .bar { fill: #161b22 } .dot { fill: #30363d } .title { fill: #8d96a0 }
    text { fill: #e6edf3 } .dim { fill: #8d96a0 } ${colours(DARK)}
  }
</style>
${drawn.join('\n')}
</svg>
`
}

const colours = (palette: readonly string[]): string => palette.map((colour, index) => `.c${index} { fill: ${colour} }`).join(' ')

function drawPanel({ title, lines }: Panel, { top, width }: { top: number; width: number }): { svg: string; height: number } {
  const rows: string[] = []
  let y = top + BAR_PX + MARGIN_PX * 0.8
  for (const line of lines) {
    const isCode = line.some(({ text }) => /[▀▄█]/.test(text))
    const height = isCode ? CHAR_PX * 2 : LINE_PX
    rows.push(isCode ? drawBlocks(line, y) : drawText(line, y + height * 0.7))
    y += height
  }
  const height = y + MARGIN_PX * 0.8 - top
  const bar = `M1 ${top + 9} a8 8 0 0 1 8 -8 H${width - 9} a8 8 0 0 1 8 8 V${top + BAR_PX} H1 Z`
  const dots = [20, 38, 56].map((x) => `<circle class="dot" cx="${x}" cy="${top + BAR_PX / 2 + 1}" r="5.5"/>`).join('')
  const svg = `<rect class="card" x="0.5" y="${top + 0.5}" width="${width - 1}" height="${Math.ceil(height) - 1}" rx="8"/>
<path class="bar" d="${bar}"/>${dots}<text class="title" x="${width / 2}" y="${top + BAR_PX / 2 + 5}">${escape(title)}</text>
${rows.filter((row) => row !== '').join('\n')}`
  return { svg, height: Math.ceil(height) }
}

function drawText(spans: readonly Span[], y: number): string {
  if (spans.every(({ text }) => text.trim() === '')) return ''
  let column = 0
  const parts = spans.map((span) => {
    const at = MARGIN_PX + column * CHAR_PX
    column += span.text.length
    return `<tspan${classesOf(span)} x="${at.toFixed(1)}">${escape(span.text)}</tspan>`
  })
  return `<text y="${y.toFixed(1)}" xml:space="preserve">${parts.join('')}</text>`
}

function classesOf({ bold, dim, foreground }: Span): string {
  const names = [
    bold && 'bold',
    dim && 'dim',
    foreground !== undefined &&
      foreground !== 7 &&
      foreground !== 15 &&
      `c${foreground > 8 ? foreground - 8 : foreground === 8 ? 7 : foreground}`,
  ].filter(Boolean)
  return names.length === 0 ? '' : ` class="${names.join(' ')}"`
}

/** A line of a QR code: two rows of squares, white on black whatever the colours of the page are. */
function drawBlocks(spans: readonly Span[], y: number): string {
  const cells = Array.from(spans.map(({ text }) => text).join(''))
  const squares = cells.flatMap((cell, column) => {
    const x = (MARGIN_PX + column * CHAR_PX).toFixed(2)
    const size = `h${CHAR_PX} v${CHAR_PX} h-${CHAR_PX} z`
    const upper = cell === '▀' || cell === '█' ? [`M${x} ${y.toFixed(2)} ${size}`] : []
    const lower = cell === '▄' || cell === '█' ? [`M${x} ${(y + CHAR_PX).toFixed(2)} ${size}`] : []
    return [...upper, ...lower]
  })
  const isFilled = spans.some(({ background }) => background !== undefined)
  const box = `x="${MARGIN_PX}" y="${y.toFixed(2)}" width="${(cells.length * CHAR_PX).toFixed(2)}" height="${CHAR_PX * 2}"`
  const behind = isFilled ? `<rect ${box} fill="#000" shape-rendering="crispEdges"/>` : ''
  return `${behind}<path fill="#fff" shape-rendering="crispEdges" d="${squares.join('')}"/>`
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
