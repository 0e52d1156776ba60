// Draws docs/pictures/*.svg: what qmtcode really prints, in light and dark. Usage: node scripts/picture.ts (needs tmux)
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { parseLines } from './picture/ansi.ts'
import type { Span } from './picture/ansi.ts'
import { draw } from './picture/draw.ts'
import type { Panel } from './picture/draw.ts'
import { createStage } from './picture/machines.ts'
import type { Terminal } from './picture/terminal.ts'

const DEMO_COLUMNS = 108
const COLUMNS = 96

mkdirSync('docs/pictures', { recursive: true })
drawDemo()
await using stage = await createStage()
using server = stage.server.open('server', { columns: COLUMNS, rows: 48 })
using laptop = stage.laptop.open('laptop', { columns: COLUMNS, rows: 48 })
using chat = stage.server.open('chat', { columns: COLUMNS, rows: 48 })
await drawInvite()
await drawTogether()

function drawDemo(): void {
  const printed = execFileSync(process.execPath, ['examples/demo.ts'], { encoding: 'utf8' })
  const lines = ['$ npm run demo', '', ...printed.trimEnd().split('\n')].map((line) => demoLine(cut(shortIds(line), DEMO_COLUMNS)))
  save('demo', [{ title: 'npm run demo', lines }], {
    columns: DEMO_COLUMNS,
    label: 'npm run demo: a prompt on the laptop, a model on gpu-server',
  })
}

/** The demo prints no colours: who is at work is coloured here. */
function demoLine(line: string): Span[] {
  const plain = { bold: false, dim: false }
  const lane = /^( *\d+ ms {2})?(laptop|gpu-server)( .*)$/.exec(line)
  if (!lane) return [{ text: line, bold: line.startsWith('$'), dim: line.startsWith(' ') }]
  const [, time = '', who = '', rest = ''] = lane
  return [
    { text: time, bold: false, dim: true },
    { text: who, bold: true, dim: false, foreground: who === 'laptop' ? 4 : 5 },
    { text: rest, ...plain },
  ]
}

/** An invite with its QR code on one machine, and the machine that joins by it. */
async function drawInvite(): Promise<void> {
  chat.type('qmtcode --mesh')
  await chat.shows(/default model/)
  server.type('qmtcode invite --name laptop --role member')
  const [url] = await server.shows(/qmt:\/\/mesh\/join\/\S+(?=[^]*revoke inv_)/)
  const invited = panel('gpu-server', server)
  laptop.type('qmtcode join')
  await laptop.shows(/paste the invite: /)
  laptop.type(url)
  await laptop.shows(/join it\? /)
  laptop.type('y')
  await laptop.shows(/joined the mesh of[^]*\n\$ *$/)
  laptop.type('qmtcode models')
  await laptop.shows(/gpu-server:builtin\/demo/)
  save('invite', [invited, panel('laptop', laptop)], {
    columns: COLUMNS,
    label: 'qmtcode invite on gpu-server, qmtcode join on the laptop',
  })
}

/** Two people in one session of gpu-server: who is there, what waits, and a command that the person at the host allows. */
async function drawTogether(): Promise<void> {
  await laptop.clear()
  laptop.type('qmtcode attach gpu-server --new')
  const [, session = ''] = await laptop.shows(/(ses_\w+) ·[^]*›/)
  await server.clear()
  server.type(`qmtcode attach ${session}`)
  await server.shows(/laptop is here/)
  await laptop.shows(/@gpu-server is here/)
  laptop.type('run node --test')
  await server.shows(/allow shell\?/)
  await laptop.shows(/shell asks/)
  laptop.type('list the files')
  await laptop.shows(/queued/)
  server.type('y')
  await server.shows(/list_files ok[^]*tokens/)
  await laptop.shows(/list_files ok[^]*tokens/)
  save('together', [panel("bob's laptop", laptop), panel("alice's gpu-server", server)], {
    columns: COLUMNS,
    label: 'Two people in one session: presence, a queued prompt, a command that the person at the host allows',
  })
}

function panel(title: string, terminal: Terminal): Panel {
  return { title, lines: parseLines(terminal.lines().map(stage.shown)) }
}

function save(name: string, panels: Panel[], look: { columns: number; label: string }): void {
  writeFileSync(`docs/pictures/${name}.svg`, draw(panels, look))
}

/** Peer ids are for machines. */
function shortIds(line: string): string {
  return line.replaceAll(/12D3KooW\w{44}/g, (id) => `${id.slice(0, 14)}…`)
}

function cut(line: string, columns: number): string {
  return line.length > columns ? `${line.slice(0, columns - 1)}…` : line
}
