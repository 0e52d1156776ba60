/** A piece of an answer: what is meant to be read, or what the model thought. */
export interface Piece {
  kind: 'text' | 'reasoning'
  text: string
}

/**
 * Models whose server does not parse their thoughts put them into the answer, between tags. Only at its beginning: a tag further on is talked about,
 * or stands in code.
 */
export interface ThoughtSplitter {
  add(text: string): Piece[]
  end(): Piece[]
}

interface Dialect {
  open: string
  close: readonly string[]
}

const DIALECTS: readonly Dialect[] = [
  { open: '<think>', close: ['</think>'] },
  { open: '<thinking>', close: ['</thinking>'] },
  { open: '<thought>', close: ['</thought>'] },
  { open: '<reasoning>', close: ['</reasoning>'] },
  { open: '[THINK]', close: ['[/THINK]'] },
  {
    open: '<|channel|>analysis<|message|>',
    close: ['<|end|><|start|>assistant<|channel|>final<|message|>', '<|channel|>final<|message|>', '<|end|>'],
  },
  { open: '<|channel|>analysis', close: ['<|channel|>final<|message|>', '<|end|>'] },
]

const OPENS = DIALECTS.map(({ open }) => open)

export function createThoughtSplitter(): ThoughtSplitter {
  let state: 'start' | 'thinking' | 'answer' = 'start'
  let dialect: Dialect | undefined
  let held = ''

  const start = (isEnd: boolean): Piece[] => {
    const body = held.trimStart()
    if (!isEnd && (body === '' || OPENS.some((open) => open.length > body.length && open.startsWith(body)))) return []
    dialect = DIALECTS.find(({ open }) => body.startsWith(open) && !isLonger(body, open, isEnd))
    if (!isEnd && dialect === undefined && OPENS.some((open) => body.startsWith(open))) return []
    state = dialect ? 'thinking' : 'answer'
    if (dialect) held = body.slice(dialect.open.length)
    return dialect ? thinking(isEnd) : answer()
  }
  const thinking = (isEnd: boolean): Piece[] => {
    const found = firstOf(held, dialect?.close ?? [])
    if (found) {
      const thought = held.slice(0, found.at)
      held = held.slice(found.at + found.word.length).trimStart()
      state = 'answer'
      return [...pieceOf('reasoning', thought), ...answer()]
    }
    const kept = isEnd ? 0 : tailThatMayBegin(held, dialect?.close ?? [])
    const thought = held.slice(0, held.length - kept)
    held = held.slice(held.length - kept)
    return pieceOf('reasoning', thought)
  }
  const answer = (): Piece[] => {
    const text = held
    held = ''
    return pieceOf('text', text)
  }
  const steps = { start, thinking, answer }
  return {
    add(text) {
      held += text
      return steps[state](false)
    },
    end: () => steps[state](true),
  }
}

/** Whether more text could make a longer opening of it, such as the channel's with its `<|message|>`. */
const isLonger = (body: string, open: string, isEnd: boolean): boolean =>
  !isEnd && OPENS.some((other) => other !== open && other.startsWith(open) && other.startsWith(body))

const pieceOf = (kind: Piece['kind'], text: string): Piece[] => (text === '' ? [] : [{ kind, text }])

function firstOf(text: string, words: readonly string[]): { at: number; word: string } | undefined {
  const found = words.map((word) => ({ at: text.indexOf(word), word })).filter(({ at }) => at !== -1)
  return found.sort((a, b) => a.at - b.at || b.word.length - a.word.length)[0]
}

/** How many characters at the end may be the beginning of one of the words. */
function tailThatMayBegin(text: string, words: readonly string[]): number {
  const longest = Math.max(...words.map((word) => word.length)) - 1
  for (let length = Math.min(longest, text.length); length > 0; length -= 1) {
    const tail = text.slice(-length)
    if (words.some((word) => word.startsWith(tail))) return length
  }
  return 0
}
