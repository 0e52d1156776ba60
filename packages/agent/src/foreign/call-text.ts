import { createTwoFilesPatch } from 'diff'
import type { Json } from '@qmtcode/protocol'
import type { Block, CallUpdate, ToolContent } from './updates.ts'

const MAX_OUTPUT_CHARS = 50_000
const MAX_INPUT_CHARS = 100_000
const MAX_DIFF_CHARS = 200_000 // the time of a diff grows with its square
const DIFF_MS = 200

/** What a call came to, as text: what it says, its changes as diffs, else its raw output. */
export function outputOf({ content = [], rawOutput }: CallUpdate): string {
  const shown = content.map(contentText).filter((text) => text !== '')
  const text = shown.length > 0 ? shown.join('\n') : rawText(rawOutput)
  return clipMiddle(text, MAX_OUTPUT_CHARS)
}

/** The changes that a person is asked about. */
export const diffsOf = ({ content = [] }: CallUpdate): string =>
  clipMiddle(content.map((item) => (item.type === 'diff' ? contentText(item) : '')).join(''), MAX_OUTPUT_CHARS)

export function blockText(block: Block): string {
  switch (block.type) {
    case 'text':
      return block.text
    case 'resource_link':
      return `[${block.name ?? block.uri}](${block.uri})`
    case 'resource':
      return block.resource.text ?? `[${block.resource.uri}]`
    case 'image':
    case 'audio':
      return `[${block.mimeType}, not shown]`
  }
}

/** The input of a call as our log holds it. */
export function inputOf({ rawInput, title }: CallUpdate): Json {
  const isTold = typeof rawInput === 'object' && rawInput !== null && Object.keys(rawInput).length > 0
  if (!isTold) return { title: clipMiddle(title ?? '', 1_000) }
  const text = JSON.stringify(rawInput)
  return text.length > MAX_INPUT_CHARS
    ? { title: clipMiddle(title ?? '', 1_000), input: clipMiddle(text, MAX_INPUT_CHARS) }
    : (JSON.parse(text) as Json)
}

function contentText(content: ToolContent): string {
  switch (content.type) {
    case 'content':
      return blockText(content.content)
    case 'terminal':
      return ''
    case 'diff': {
      const { path, oldText, newText } = content
      const before = oldText ?? ''
      const tooLong = before.length + newText.length > MAX_DIFF_CHARS
      const patch = tooLong ? undefined : createTwoFilesPatch(path, path, before, newText, '', '', { timeout: DIFF_MS })
      return patch ?? `${path}: ${newText.length} characters now, ${before.length} before\n`
    }
  }
}

function rawText(raw: unknown): string {
  if (raw === undefined || raw === null) return ''
  if (typeof raw === 'string') return raw
  if (typeof raw === 'object' && 'output' in raw && typeof raw.output === 'string') return raw.output
  return JSON.stringify(raw)
}

export function clipMiddle(text: string, max: number): string {
  if (text.length <= max) return text
  const half = Math.floor(max / 2)
  return `${text.slice(0, half)}\n… [${text.length - 2 * half} characters left out] …\n${text.slice(-half)}`
}
