"""Who is who: the authority behind certificates, enrollment of devices, users, sessions and API tokens.

``Refused`` (from ``iotcenter.interfaces``) comes out of here where somebody may not do what they asked for, and
``IdentityError`` where what the operator set up or what lies on disk is not right.
"""
