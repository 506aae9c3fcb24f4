// Buttons of toolbars.

import { ToolbarButton } from '@jupyterlab/apputils';

export type ButtonProps = ToolbarButton['props'] & object;

/** A button that does something. JupyterLab's own is a switch for screen readers, and stays pressed after a click. */
export class PlainButton extends ToolbarButton {
  constructor(private _own: ButtonProps) {
    super(_own);
  }

  /** Be another button from now on. */
  become(props: ButtonProps): void {
    this._own = props;
    this.update();
  }

  render(): ReturnType<ToolbarButton['render']> {
    const element = super.render();
    return { ...element, props: { ...this._own, enabled: this.enabled, pressed: undefined } };
  }
}
