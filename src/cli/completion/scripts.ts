/** Shells that can be completed in. */
export const SHELLS = ["bash", "zsh", "fish", "powershell"] as const;
export type Shell = (typeof SHELLS)[number];

/** Where the program is: on the path, else in the project at hand. */
const RUN = `__millrace_run() {
  if type millrace >/dev/null 2>&1; then millrace "$@"
  elif [ -x ./node_modules/.bin/millrace ]; then ./node_modules/.bin/millrace "$@"
  fi
}`;

// What was typed goes to the program as words, never through eval: completing must not run what stands on the line.
const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# bash completion of millrace: source <(millrace completion bash)
${RUN}
__millrace() {
  local line value
  COMPREPLY=()
  while IFS= read -r line; do
    if [ "$line" = ":files" ]; then
      compopt -o default -o bashdefault 2>/dev/null
      COMPREPLY=()
      return
    fi
    printf -v value %q "\${line%%$'\\t'*}"
    COMPREPLY+=("$value")
  done < <(__millrace_run complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F __millrace millrace`,

  zsh: `#compdef millrace
# zsh completion of millrace: source <(millrace completion zsh), or this file as _millrace in a folder of $fpath
${RUN}
__millrace() {
  local line value about
  local -a found
  while IFS= read -r line; do
    if [[ "$line" == ":files" ]]; then
      _files
      return
    fi
    value="\${line%%$'\\t'*}"
    about=""
    [[ "$line" == *$'\\t'* ]] && about="\${line#*$'\\t'}"
    found+=("\${value//:/\\\\:}\${about:+:$about}")
  done < <(__millrace_run complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  _describe -V millrace found
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef __millrace millrace`,

  fish: `# fish completion of millrace: millrace completion fish > ~/.config/fish/completions/millrace.fish
function __millrace_run
    if type -q millrace
        millrace $argv
    else if test -x ./node_modules/.bin/millrace
        ./node_modules/.bin/millrace $argv
    end
end
function __millrace
    set -l words (commandline -opc)
    set -e words[1]
    set -l current (commandline -ct)
    for line in (__millrace_run complete -- $words "$current" 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path "$current"
        else
            echo $line
        end
    end
end
complete -c millrace -f -k -a '(__millrace)'`,

  powershell: `# PowerShell completion of millrace: millrace completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName millrace -ScriptBlock {
    param($word, $ast, $cursor)
    $words = @($ast.CommandElements | Select-Object -Skip 1 | Where-Object { $_.Extent.EndOffset -le $cursor } | ForEach-Object { $_.ToString() })
    $program = if (Get-Command millrace -ErrorAction SilentlyContinue) { 'millrace' } else { './node_modules/.bin/millrace' }
    $found = if ($word -eq '') { & $program complete --empty -- @words 2>$null } else { & $program complete -- @words 2>$null }
    foreach ($line in $found) {
        if ($line -eq ':files') { return }
        $value, $about = $line -split "\`t", 2
        if (-not $about) { $about = $value }
        [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $about)
    }
}`,
};

/** The script that makes a shell complete `millrace`. */
export function completionScript(shell: Shell): string {
  return SCRIPTS[shell];
}
