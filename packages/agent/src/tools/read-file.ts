import { constants } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { fileType, looksBinary } from './file-type.ts'
import { MAX_OUTPUT_CHARS, MAX_OUTPUT_LINES } from './output.ts'
import { similarity } from './similarity.ts'
import { defineTool } from './types.ts'
import type { ToolResult } from './types.ts'
import { codeOf } from './workspace.ts'
import type { ResolvedPath } from './workspace.ts'

const MAX_LINE_CHARS = 2_000
const COUNTED_BYTES = 16_777_216 // the total of lines is told for files up to this size

const inputSchema = z.object({
  path: z.string().min(1).describe('File, relative to the workspace'),
  offset: z.int().positive().optional().describe('First line, from 1'),
  limit: z.int().positive().max(MAX_OUTPUT_LINES).optional().describe(`Lines to read; default and most: ${MAX_OUTPUT_LINES}`),
})

export const readFileTool = defineTool({
  name: 'read_file',
  description: 'Read a text file. Each line comes with its number and a tab before it; these are no part of the file.',
  inputSchema,
  permission: 'read',
  summary: ({ path }) => `read ${path}`,
  target: ({ path }) => ({ path }),
  async execute({ offset = 1, limit = MAX_OUTPUT_LINES }, { path, signal, hides }) {
    let file: FileHandle
    try {
      // O_NONBLOCK: a pipe without a writer must not hang the open.
      file = await open(path.real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    } catch (error) {
      return await notOpened(path, error, hides)
    }
    try {
      const info = await file.stat()
      if (info.isDirectory()) return failure(`${path.shown} is a directory: use list_files`)
      if (!info.isFile()) return failure(`${path.shown} is not a plain file (a device, a pipe or a socket)`)
      const start = Buffer.alloc(8_192)
      const { bytesRead } = await file.read(start, 0, start.length, 0)
      const sample = start.subarray(0, bytesRead)
      if (looksBinary(sample))
        return failure(`${path.shown} is a binary file: ${fileType(sample, path.real)}, ${info.size} bytes. It is not shown.`)
      return { output: describe(await readLines(file, { offset, limit, signal }), offset, info.size) }
    } finally {
      await file.close()
    }
  },
})

const failure = (output: string): ToolResult => ({ output, isError: true })

interface LinesRead {
  lines: string[]
  /** Unknown where the file is too long to be counted. */
  total?: number
  /** Stopped by the bound on characters, before `limit`. */
  full: boolean
}

async function readLines(file: FileHandle, range: { offset: number; limit: number; signal: AbortSignal }): Promise<LinesRead> {
  const stream = file.createReadStream({ start: 0, encoding: 'utf8', autoClose: false, signal: range.signal })
  const read: LinesRead = { lines: [], full: false }
  let number = 1
  let line = ''
  let chars = 0
  let seen = 0
  const wanted = (): boolean => number >= range.offset && read.lines.length < range.limit && !read.full
  const endLine = (): void => {
    if (wanted()) {
      const text = line.length > MAX_LINE_CHARS ? `${line.slice(0, MAX_LINE_CHARS)}… [line cut]` : line.replace(/\r$/, '')
      chars += text.length + 8
      if (chars > MAX_OUTPUT_CHARS && read.lines.length > 0) read.full = true
      else read.lines.push(`${number}\t${text}`)
    }
    line = ''
    number += 1
  }
  for await (const chunk of stream as AsyncIterable<string>) {
    seen += chunk.length
    let from = 0
    for (let at = chunk.indexOf('\n'); at !== -1; at = chunk.indexOf('\n', from)) {
      if (line.length <= MAX_LINE_CHARS) line += chunk.slice(from, at)
      endLine()
      from = at + 1
    }
    if (line.length <= MAX_LINE_CHARS) line += chunk.slice(from)
    if (seen > COUNTED_BYTES && (read.full || read.lines.length >= range.limit)) return read
  }
  if (line !== '') endLine()
  return { ...read, total: number - 1 }
}

function describe({ lines, total, full }: LinesRead, offset: number, size: number): string {
  if (total === 0) return '[the file is empty]'
  if (lines.length === 0) return `[the file has ${total ?? 'fewer'} lines; there is nothing from line ${offset} on]`
  const last = offset + lines.length - 1
  if (offset === 1 && last === total) return lines.join('\n')
  const all = total === undefined ? `a file of ${size} bytes` : `${total}`
  const more = last === total ? '' : `; go on with offset ${last + 1}`
  return `${lines.join('\n')}\n[lines ${offset}–${last} of ${all}${full ? ', as many as fit' : ''}${more}]`
}

async function notOpened(path: ResolvedPath, error: unknown, hides: (real: string) => boolean): Promise<ToolResult> {
  if (codeOf(error) !== 'ENOENT') return failure(`${path.shown} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  if (path.place !== 'workspace') return failure(`${path.shown} does not exist`)
  const names = await readdir(dirname(path.real)).catch(() => [])
  const near = names
    .filter((name) => !hides(join(dirname(path.real), name)))
    .map((name) => ({ name, score: similarity(name, basename(path.real)) }))
    .filter(({ score }) => score > 0.5)
    .sort((a, b) => b.score - a.score)
    .slice(0, 3)
  return failure(`${path.shown} does not exist${near.length > 0 ? `; near it: ${near.map(({ name }) => name).join(', ')}` : ''}`)
}
