import { createParser } from 'eventsource-parser'

/** What a stretch of a stream said. `alive`: something that is no part of an answer. */
export type StreamEvent = { type: 'data'; value: unknown } | { type: 'words'; text: string } | { type: 'done' } | { type: 'alive' }

export interface EventReader {
  feed(text: string): StreamEvent[]
  /** The last event of a server that does not close it by an empty line. */
  end(): StreamEvent[]
}

/** Server-sent events, as servers send them: comments, other events, JSON without `data:`, and an end in several spellings. */
export function createEventReader(): EventReader {
  let events: StreamEvent[] = []
  const parser = createParser({
    onEvent: ({ data }) => events.push(eventOf(data)),
    onComment: () => events.push({ type: 'alive' }),
    onError: ({ line }) => events.push(lineOf(line ?? '')),
  })
  const take = (): StreamEvent[] => {
    const taken = events
    events = []
    return taken
  }
  return {
    feed(text) {
      parser.feed(text)
      return take()
    },
    end() {
      parser.feed('\n\n')
      return take()
    },
  }
}

function eventOf(data: string): StreamEvent {
  const text = data.trim()
  if (text === '[DONE]') return { type: 'done' }
  if (text === '') return { type: 'alive' }
  try {
    return { type: 'data', value: JSON.parse(text) }
  } catch {
    return { type: 'words', text }
  }
}

/** A line that is not of the format: JSON counts, the rest says only that the server lives. */
function lineOf(line: string): StreamEvent {
  const event = line.trimStart().startsWith('{') ? eventOf(line) : undefined
  return event?.type === 'data' ? event : { type: 'alive' }
}
