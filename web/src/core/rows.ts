/** Which rows of a long list are drawn. All rows have the same height. */
export interface Visible {
  first: number;
  /** The row after the last. */
  end: number;
  /** Pixels of empty space above and below the drawn rows. */
  above: number;
  below: number;
}

export function visibleRows(total: number, height: number, scrolled: number, viewport: number, overscan = 8): Visible {
  const top = Math.min(Math.max(0, scrolled), Math.max(0, total * height - viewport));
  const first = Math.max(0, Math.floor(top / height) - overscan);
  const end = Math.min(total, Math.ceil((top + viewport) / height) + overscan);

  return { first, end, above: first * height, below: (total - end) * height };
}
