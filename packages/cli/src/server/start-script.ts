/** Name of the script in a Python server's tree that starts it. */
export const START_SCRIPT = "start.py";

/**
 * Starts a console script of the tree: the first argument is its name, the others are its own. Programs that the server
 * starts are those of the tree, with its libraries.
 */
export const START_SCRIPT_TEXT = `import os
import site
import sys
from importlib.metadata import entry_points

tree = os.path.dirname(os.path.abspath(__file__))
# Some systems' Python looks for packages elsewhere.
packages = os.path.join(tree, "lib", f"python{sys.version_info[0]}.{sys.version_info[1]}", "site-packages")
if packages not in sys.path:
    site.addsitedir(packages)
os.environ["PATH"] = os.path.join(tree, "bin")
os.environ["LD_LIBRARY_PATH"] = os.path.join(tree, "lib")
sys.argv = sys.argv[1:]
found = entry_points(group="console_scripts", name=sys.argv[0])
script = next(iter(found))
sys.exit(script.load()())
`;

/** Compiles every module of the tree, whose folder is the first argument, so that no start has to. Runs none of them. */
export const COMPILE_SCRIPT = `import compileall, py_compile, sys
compileall.compile_dir(sys.argv[1], quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
`;
