/**
 * A MAC address in any spelling (colons, dashes, Cisco's dots, bare) as lower
 * case with colons, or undefined when the text is none.
 */
export function normalizeMAC(text: string): string | undefined {
  const trimmed = text.trim().toLowerCase();
  const spelled =
    /^[0-9a-f]{12}$/.test(trimmed) ||
    /^[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}$/.test(trimmed) ||
    /^[0-9a-f]{1,2}(-[0-9a-f]{1,2}){5}$/.test(trimmed) ||
    /^[0-9a-f]{4}(\.[0-9a-f]{4}){2}$/.test(trimmed);
  if (!spelled) return undefined;

  const digits = /[:-]/.test(trimmed)
    ? trimmed
        .split(/[:-]/)
        .map((part) => part.padStart(2, '0'))
        .join('')
    : trimmed.replaceAll('.', '');

  return digits.match(/../g)!.join(':');
}
