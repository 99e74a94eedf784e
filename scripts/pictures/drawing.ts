/** A picture as SVG text, readable on light and dark pages: it brings its own paper. */
export class Drawing {
  readonly #parts: string[] = [];
  readonly width: number;
  readonly height: number;
  readonly title: string;
  readonly description: string;

  constructor(width: number, height: number, title: string, description: string) {
    this.width = width;
    this.height = height;
    this.title = title;
    this.description = description;
  }

  add(svg: string): void {
    this.#parts.push(svg);
  }
  line(x1: number, y1: number, x2: number, y2: number, style = "axis"): void {
    this.add(`<line x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}" class="${style}"/>`);
  }
  path(points: readonly (readonly [number, number])[], style: string): void {
    this.add(`<polyline points="${points.map(([x, y]) => `${at(x)},${at(y)}`).join(" ")}" class="${style}"/>`);
  }
  rect(x: number, y: number, width: number, height: number, fill: string, more = ""): void {
    const size = `width="${at(Math.max(width, 0))}" height="${at(Math.max(height, 0))}"`;
    this.add(`<rect x="${at(x)}" y="${at(y)}" ${size} fill="${fill}" ${more}/>`);
  }
  dot(x: number, y: number, fill: string, radius = 4): void {
    this.add(`<circle cx="${at(x)}" cy="${at(y)}" r="${radius}" fill="${fill}"/>`);
  }
  cross(x: number, y: number, color: string, size = 4): void {
    const [a, b, c, d] = [at(x - size), at(y - size), at(x + size), at(y + size)];
    this.add(`<path d="M${a} ${b}L${c} ${d}M${a} ${d}L${c} ${b}" stroke="${color}" stroke-width="2"/>`);
  }
  text(x: number, y: number, text: string, style = "", anchor: "start" | "middle" | "end" = "start"): void {
    this.add(`<text x="${at(x)}" y="${at(y)}" class="${style}" text-anchor="${anchor}">${escaped(text)}</text>`);
  }
  /** Words for colours, side by side. */
  legend(x: number, y: number, entries: readonly (readonly [color: string, words: string])[]): void {
    let left = x;
    for (const [color, words] of entries) {
      this.rect(left, y - 9, 10, 10, color, 'rx="2"');
      this.text(left + 15, y, words);
      left += 15 + words.length * 6.2 + 24;
    }
  }

  toString(): string {
    const { width, height } = this;
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title description">
<title id="title">${escaped(this.title)}</title>
<desc id="description">${escaped(this.description)}</desc>
<style>
text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #334155 }
.head { font-size: 15px; font-weight: 600; fill: #0f172a }
.small { font-size: 11px; fill: #64748b }
.white { fill: #ffffff; font-weight: 600 }
.axis { stroke: #94a3b8; stroke-width: 1 }
.grid { stroke: #e2e8f0; stroke-width: 1 }
.watermark { fill: none; stroke: #d97706; stroke-width: 2.5 }
.newest { fill: none; stroke: #94a3b8; stroke-width: 1.5; stroke-dasharray: 4 3 }
.a { fill: none; stroke: #2563eb; stroke-width: 2.5 }
.b { fill: none; stroke: #dc2626; stroke-width: 2.5 }
.cut { stroke: #dc2626; stroke-width: 2; stroke-dasharray: 5 4 }
</style>
<rect width="${width}" height="${height}" rx="10" fill="#ffffff" stroke="#e2e8f0"/>
${this.#parts.join("\n")}
</svg>
`;
  }
}

export const BLUE = "#2563eb";
export const RED = "#dc2626";
export const AMBER = "#d97706";
export const GREEN = "#16a34a";
export const GREY = "#94a3b8";

/** From one range of numbers to another. */
export function scale(from: readonly [number, number], to: readonly [number, number]): (value: number) => number {
  const [a, b] = from;
  const [c, d] = to;
  return (value) => c + ((value - a) / (b - a || 1)) * (d - c);
}

const at = (n: number): string => String(Math.round(n * 10) / 10);
const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** The same numbers in each run: a picture changes only when the program does. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
