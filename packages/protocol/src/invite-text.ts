/** What every invite begins with. */
export const INVITE_PREFIX = 'qmt://mesh/join/'

const WHOLE = /^[\w-]+\.[\w-]{86}$/ // a statement and its signature: 64 bytes as base64url
const URL_CHAR = /^[\w.:/-]$/
const MAX_URL_CHARS = 4_096

export interface InviteText {
  url: string
  /** It lay in pieces: line ends, blanks, quotes or marks of a quoted mail stood within. */
  isJoined: boolean
}

/**
 * The first invite in what a person pasted or a file holds. What cannot stand in an invite is left out, wherever a terminal, a mail or
 * an editor put it; what follows a whole invite behind such a gap is not part of it. Whether it is right is for its signature to say.
 */
export function inviteIn(text: string): InviteText | undefined {
  const kept: { char: string; isBehindGap: boolean }[] = []
  let isBehindGap = false
  for (const char of text) {
    if (URL_CHAR.test(char)) kept.push({ char, isBehindGap })
    isBehindGap = !URL_CHAR.test(char)
  }
  const start = kept
    .map(({ char }) => char)
    .join('')
    .indexOf(INVITE_PREFIX)
  if (start === -1) return undefined
  let url = ''
  let isJoined = false
  for (const { char, isBehindGap: isGap } of kept.slice(start, start + MAX_URL_CHARS)) {
    if (isGap && WHOLE.test(url.slice(INVITE_PREFIX.length))) break
    isJoined ||= isGap && url !== ''
    url += char
  }
  return { url, isJoined }
}

/** Whether it goes to its end: a terminal may cut a long line. */
export const isWholeInvite = (url: string): boolean => WHOLE.test(url.slice(INVITE_PREFIX.length))
