/**
 * Finds a token in what people paste: a bare token, or a kubeconfig as kubectl,
 * Rancher or k3s write it. Only the YAML of such files is read: nested mappings
 * and lists of plain or quoted texts, or JSON.
 */

export type Credential = { token: string } | { refused: string };

type Node = string | Node[] | { [key: string]: Node };

export function credentialFrom(pasted: string): Credential {
  const text = pasted.trim();
  if (text === '') return { refused: 'Paste a token or a kubeconfig.' };
  if (!/\s|^\{/.test(text)) return { token: text.replace(/^["']|["']$/g, '') };

  let config: Node;
  try {
    config = text.startsWith('{') ? (JSON.parse(text) as Node) : readYAML(text);
  } catch (error) {
    return { refused: `This is neither a token nor a kubeconfig: ${(error as Error).message}.` };
  }

  return fromConfig(config);
}

function fromConfig(config: Node): Credential {
  const users = list(field(config, 'users'));
  if (users.length === 0) return { refused: 'This is neither a token nor a kubeconfig: it has no users.' };

  const current = field(config, 'current-context');
  const context = list(field(config, 'contexts')).find((one) => field(one, 'name') === current);
  const wanted = field(field(context, 'context'), 'user');
  const named = users.find((one) => field(one, 'name') === wanted) ?? (users.length === 1 ? users[0] : undefined);
  if (!named) return { refused: 'The current context of this kubeconfig names no user that it has. Paste the token itself.' };

  const user = field(named, 'user');
  const token = field(user, 'token');
  if (typeof token === 'string' && token !== '') return { token };

  return { refused: why(user) };
}

function why(user: Node | undefined): string {
  if (field(user, 'client-certificate-data') !== undefined || field(user, 'client-certificate') !== undefined) {
    return (
      'This kubeconfig has a client certificate. A page cannot use one, only the browser itself can. ' +
      'Get a token instead: kubectl create token NAME --namespace NAMESPACE.'
    );
  }
  if (field(user, 'exec') !== undefined || field(user, 'auth-provider') !== undefined) {
    return (
      'This kubeconfig runs a program to log in, which a page cannot. ' +
      'Get a token instead: kubectl create token NAME --namespace NAMESPACE.'
    );
  }
  if (field(user, 'tokenFile') !== undefined) return 'This kubeconfig names a file that has the token. Paste what is in that file.';

  return 'The user of this kubeconfig has no token. Get one: kubectl create token NAME --namespace NAMESPACE.';
}

function field(node: Node | undefined, key: string): Node | undefined {
  return typeof node === 'object' && !Array.isArray(node) && node !== null ? node[key] : undefined;
}

function list(node: Node | undefined): Node[] {
  return Array.isArray(node) ? node : [];
}

interface Line {
  indent: number;
  text: string;
  number: number;
}

function readYAML(text: string): Node {
  const lines = text
    .split(/\r?\n/)
    .map((raw, i) => ({ indent: raw.length - raw.trimStart().length, text: raw.trim(), number: i + 1 }))
    .filter((line) => line.text !== '' && !line.text.startsWith('#') && line.text !== '---');
  const reader = { lines, at: 0 };
  const node = block(reader, 0);
  if (reader.at < lines.length) throw new Error(`line ${lines[reader.at]!.number} cannot be read`);

  return node;
}

interface Reader {
  lines: Line[];
  at: number;
}

function block(reader: Reader, indent: number): Node {
  const line = reader.lines[reader.at]!;

  return /^-( |$)/.test(line.text) ? sequence(reader, line.indent) : mapping(reader, Math.max(indent, line.indent));
}

function sequence(reader: Reader, indent: number): Node[] {
  const items: Node[] = [];
  for (;;) {
    const line = reader.lines[reader.at];
    if (!line || line.indent !== indent || !/^-( |$)/.test(line.text)) return items;

    const rest = line.text.slice(1).trimStart();
    if (rest !== '' && !isEntry(rest)) {
      items.push(scalar(rest));
      reader.at++;
      continue;
    }
    // The item goes on as a mapping whose first entry stands after the dash.
    if (rest === '') reader.at++;
    else reader.lines[reader.at] = { ...line, indent: indent + line.text.length - rest.length, text: rest };
    items.push(child(reader, indent));
  }
}

function mapping(reader: Reader, indent: number): Node {
  const node: { [key: string]: Node } = {};
  for (;;) {
    const line = reader.lines[reader.at];
    if (!line || line.indent !== indent || /^-( |$)/.test(line.text)) return node;
    if (!isEntry(line.text)) throw new Error(`line ${line.number} cannot be read`);

    const mark = /:( |$)/.exec(line.text)!.index;
    const key = scalar(line.text.slice(0, mark));
    const rest = line.text.slice(mark + 1).trim();
    reader.at++;
    node[key] = rest === '' ? child(reader, indent) : /^[|>]/.test(rest) ? folded(reader, indent) : scalar(rest);
  }
}

// What is under a key. Lists may stand at the indent of their key.
function child(reader: Reader, indent: number): Node {
  const next = reader.lines[reader.at];
  if (!next || next.indent < indent || (next.indent === indent && !/^-( |$)/.test(next.text))) return '';

  return block(reader, indent);
}

function folded(reader: Reader, indent: number): string {
  const texts: string[] = [];
  for (let next = reader.lines[reader.at]; next && next.indent > indent; next = reader.lines[++reader.at]) texts.push(next.text);

  return texts.join('\n');
}

function isEntry(text: string): boolean {
  return /^("[^"]*"|'[^']*'|[^"'\s{[][^{[]*?):( |$)/.test(text);
}

function scalar(text: string): string {
  const quoted = /^(["'])(.*)\1$/.exec(text);

  return quoted ? quoted[2]! : text.replace(/\s+#.*$/, '');
}
