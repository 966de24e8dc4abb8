/** A message of a stream of server-sent events. */
export interface Message {
  id: string;
  event: string;
  data: string;
}

/**
 * Reads a stream of server-sent events (HTML standard, 9.2.6) from pieces of
 * text that may be cut anywhere. EventSource does the same but cannot send a
 * token. The id is the last that was told, also by an event without data, which is
 * no message.
 */
export function eventReader(): { read(piece: string): Message[]; id(): string } {
  let rest = '';
  let id = '';
  let event = '';
  let data: string[] = [];

  const line = (text: string, done: Message[]) => {
    if (text === '') {
      if (data.length > 0) done.push({ id, event: event || 'message', data: data.join('\n') });
      event = '';
      data = [];

      return;
    }
    const mark = text.indexOf(':');
    const field = mark < 0 ? text : text.slice(0, mark);
    const value = mark < 0 ? '' : text.slice(mark + 1).replace(/^ /, '');
    if (field === 'id') id = value;
    else if (field === 'event') event = value;
    else if (field === 'data') data.push(value);
  };

  const read = (piece: string) => {
    const done: Message[] = [];
    const lines = (rest + piece).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    for (const one of lines) line(one, done);

    return done;
  };

  return { read, id: () => id };
}
