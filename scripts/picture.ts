// Draws docs/pictures/demo.svg: what `npm run demo` really prints, in light and dark. Usage: node scripts/picture.ts
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import process from 'node:process'

const LINE_PX = 19
const CHAR_PX = 7.83
const MARGIN_PX = 24
const BAR_PX = 34
const MAX_CHARS = 112

const printed = execFileSync(process.execPath, ['examples/demo.ts'], { encoding: 'utf8' })
const lines = ['$ npm run demo', '', ...printed.trimEnd().split('\n').map(shorten)]
mkdirSync('docs/pictures', { recursive: true })
writeFileSync('docs/pictures/demo.svg', draw(lines))

/** Peer ids are for machines. */
function shorten(line: string): string {
  const short = line.replaceAll(/12D3KooW\w{44}/g, (id) => `${id.slice(0, 14)}…`)
  return short.length > MAX_CHARS ? `${short.slice(0, MAX_CHARS - 1)}…` : short
}

function draw(text: readonly string[]): string {
  const width = Math.ceil(MARGIN_PX * 2 + MAX_CHARS * CHAR_PX)
  const height = BAR_PX + MARGIN_PX * 2 + text.length * LINE_PX
  const rows = text.map((line, i) => drawLine(line, BAR_PX + MARGIN_PX + (i + 0.7) * LINE_PX))
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="npm run demo: a prompt on the laptop, a model on gpu-server">
<style>
  .card { fill: #ffffff; stroke: #d0d7de } .bar { fill: #f6f8fa } .dot { fill: #d0d7de }
  text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; white-space: pre; fill: #1f2328 }
  .dim { fill: #656d76 } .laptop { fill: #0969da; font-weight: 600 } .server { fill: #8250df; font-weight: 600 } .strong { font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #30363d } .bar { fill: #161b22 } .dot { fill: #30363d }
    text { fill: #e6edf3 } .dim { fill: #8d96a0 } .laptop { fill: #58a6ff } .server { fill: #bc8cff }
  }
</style>
<rect class="card" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>
<path class="bar" d="M1 9 a8 8 0 0 1 8 -8 H${width - 9} a8 8 0 0 1 8 8 V${BAR_PX} H1 Z"/>
${[20, 38, 56].map((x) => `<circle class="dot" cx="${x}" cy="${BAR_PX / 2 + 1}" r="5.5"/>`).join('')}
${rows.filter((row) => row !== '').join('\n')}
</svg>
`
}

function drawLine(line: string, y: number): string {
  if (line.trim() === '') return ''
  const lane = /^( *\d+ ms {2})?(laptop|gpu-server)( .*)$/.exec(line)
  if (lane) {
    const [, time = '', who = '', rest = ''] = lane
    const side = who === 'laptop' ? 'laptop' : 'server'
    return `<text x="${MARGIN_PX}" y="${y}" xml:space="preserve"><tspan class="dim">${time}</tspan><tspan class="${side}">${who}</tspan>${escape(rest)}</text>`
  }
  const style = line.startsWith('$') ? 'strong' : line.startsWith(' ') ? 'dim' : ''
  return `<text class="${style}" x="${MARGIN_PX}" y="${y}" xml:space="preserve">${escape(line)}</text>`
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
