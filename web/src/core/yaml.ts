/** Writes plain values as YAML, as people read manifests. */
export function toYAML(value: unknown, indent = ''): string {
  if (Array.isArray(value)) {
    return value.map((item) => `${indent}- ${inner(item, `${indent}  `)}`).join('');
  }

  return Object.entries(value as Record<string, unknown>)
    .filter(([, item]) => item !== undefined)
    .map(([key, item]) => (branches(item) ? `${indent}${key}:\n${toYAML(item, Array.isArray(item) ? indent : `${indent}  `)}` : `${indent}${key}: ${leaf(item)}\n`))
    .join('');
}

function inner(item: unknown, indent: string): string {
  return branches(item) ? toYAML(item, indent).slice(indent.length) : `${leaf(item)}\n`;
}

function branches(item: unknown): boolean {
  return typeof item === 'object' && item !== null && Object.keys(item).length > 0;
}

function leaf(item: unknown): string {
  // Whatever YAML might read as something else than a text is quoted.
  if (typeof item === 'string' && /^[A-Za-z/][\w./-]*$/.test(item) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(item)) return item;
  if (typeof item === 'string' && /^\d+(\.\d+){3}(\/\d+)?$/.test(item)) return item;

  return JSON.stringify(item);
}
