import { Component, type ComponentChildren } from "preact";
import { Trouble } from "./parts.tsx";

interface Props {
  /** Another place is another chance. */
  readonly place: string;
  readonly children: ComponentChildren;
}

/** Keeps a fault of one page from taking the others with it. */
export class Boundary extends Component<Props, { readonly error: Error | null }> {
  override state = { error: null as Error | null };

  override componentDidCatch(error: Error): void {
    console.error(error);
    this.setState({ error });
  }

  override componentDidUpdate(before: Props): void {
    if (before.place !== this.props.place && this.state.error !== null) this.setState({ error: null });
  }

  override render() {
    const { error } = this.state;
    if (error === null) return this.props.children;
    return (
      <>
        <h1>This page failed</h1>
        <Trouble
          failure={{
            code: "PAGE",
            message: error.message,
            hint: "The pipeline is not touched by it. The other pages work; loading this one again may help.",
          }}
          retry={() => this.setState({ error: null })}
        />
      </>
    );
  }
}
