"""pyhoca-cli as it is, but for a bug of python-x2go's own. Debian's Python runs this.

python-x2go copies its own key, and with Debian's paramiko a key cannot be copied.
"""

import runpy
import shutil

import paramiko

paramiko.PKey.__deepcopy__ = lambda key, _: key
runpy.run_path(shutil.which("pyhoca-cli"), run_name="__main__")
