/** Whether a URL leads to this machine by its own names. */
export const isOnThisMachine = (url: string): boolean => /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|0\.0\.0\.0)$/.test(new URL(url).hostname)
