import type { ComponentChildren } from "preact";

/** A box that scrolls when its content is wide or long; by keyboard too, so it can be focused and has a name. */
export function Scroll(props: { label: string; class?: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a section would be one more landmark of the page
    <div
      class={props.class ?? "table-box"}
      role="group"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      aria-label={props.label}
    >
      {props.children}
    </div>
  );
}

/** Long text as it is, in a box that scrolls. */
export function Text({ label, children }: { label: string; children: string }) {
  return (
    <Scroll label={label} class="text-box">
      <pre>{children}</pre>
    </Scroll>
  );
}
